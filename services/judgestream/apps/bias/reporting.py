"""Publishing of bias reports. One worker of the group does it at a time, under a lease in Redis.

A report goes to `judge.bias.v1`, to Redis (`report:<release>`) and to Prometheus.
"""

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from judgestream.adapters.kafka.producer import Publisher
from judgestream.adapters.redis.bias_store import BiasStore, Pane
from judgestream.apps.bias.alarms import AlarmWatch
from judgestream.apps.bias.progress import WatermarkKeeper
from judgestream.apps.worker import metrics
from judgestream.contracts.codecs.bias import bias_report_to_message
from judgestream.contracts.events import JSON
from judgestream.contracts.outgoing import outgoing
from judgestream.contracts.topics import BIAS
from judgestream.contracts.wire import encode
from judgestream.core.errors import BrokerUnavailable, PoisonError, StoreUnavailable
from judgestream.evaluation.probes import Counts, complete, report, total
from judgestream.evaluation.recount import ByPrompt, merged
from judgestream.evaluation.time_windows import TimeWindow, is_final, panes_of, windows_over
from judgestream.settings import Bias
from judgestream.v1.bias_pb2 import BiasReport

log = logging.getLogger(__name__)

SOURCE = "judgestream/bias"

MAX_RELEASES_SHOWN = 200
"""Releases with gauges. Bounded, because anybody may publish verdicts under new names."""

TOGETHER = 16
"""Reports that are published at the same time."""

Window = tuple[str, TimeWindow]
"""A release and a window."""


class ReportPublisher:
    """Publishes every window that has changed."""

    def __init__(
        self,
        store: BiasStore,
        publisher: Publisher,
        watermark: WatermarkKeeper,
        alarms: AlarmWatch,
        settings: Bias,
    ) -> None:
        self._store = store
        self._publisher = publisher
        self._watermark = watermark
        self._alarms = alarms
        self._lease_s = settings.publish_interval_s * 3 + 5
        self._interval_s = settings.publish_interval_s
        self._size = timedelta(seconds=settings.window_s)
        self._hop = timedelta(seconds=settings.hop)
        self._lateness = timedelta(seconds=settings.lateness_s)
        self._holder = uuid4().hex
        self._published: dict[Window, tuple[int, bool]] = {}
        """Of the open windows: the revision that was published, and whether as final."""
        self._shown: set[str] = set()
        """Releases with gauges: the first ones, which stay."""
        self._led = False

    async def run(self) -> None:
        """Publish at intervals, until cancelled."""
        while True:
            await asyncio.sleep(self._interval_s)
            try:
                await self.publish_round()
            except (StoreUnavailable, BrokerUnavailable) as exc:
                if isinstance(exc, StoreUnavailable):
                    metrics.redis_available.set(0)
                log.warning("bias reports are delayed: %s", exc)

    async def publish_round(self) -> None:
        """Publish what has changed, if this worker holds the lease.

        Raises:
            StoreUnavailable, BrokerUnavailable: the rest is published in a later round.
        """
        if await self._leased():
            await self._publish_changed()

    async def _leased(self) -> bool:
        held = await self._store.lease(self._holder, self._lease_s)
        metrics.redis_available.set(1)
        if self._led and not held:  # the holder shows newer figures
            self._shown.clear()
            metrics.clear_bias()
        self._led = held
        return held

    async def _publish_changed(self) -> None:
        watermark = await self._watermark.advance()
        if watermark is not None:
            metrics.bias_watermark.set(watermark.timestamp())
        panes = await self._store.open_panes()
        changed = self._changed(panes)
        finals = {
            window
            for window in changed
            if watermark is not None and is_final(window[1], watermark, self._lateness)
        }
        due = [
            window
            for window, revision in changed.items()
            if self._published.get(window) != (revision, window in finals)
        ]
        due.sort(key=lambda window: (window[1].end, window[0]))
        for first in range(0, len(due), TOGETHER):
            if not await self._leased():
                return
            some = due[first : first + TOGETHER]
            await self._publish_some(some, changed, finals)
        await self._close(panes, finals)
        self._published = {
            window: told for window, told in self._published.items() if window in changed
        }

    async def _publish_some(
        self, some: Sequence[Window], changed: Mapping[Window, int], finals: set[Window]
    ) -> None:
        """Publish these windows together, and let the alarms see the final ones in their order.

        Raises:
            StoreUnavailable, BrokerUnavailable: those from the first failure on are published once more.
        """
        read = await asyncio.gather(
            *(self._publish(*window, changed[window], window in finals) for window in some),
            return_exceptions=True,
        )
        seen: list[tuple[Window, ByPrompt]] = []
        problem: BaseException | None = None
        for window, found in zip(some, read, strict=True):
            if isinstance(found, BaseException):
                problem = problem or found
            if problem is not None:
                self._published.pop(window, None)
            elif window in finals and not isinstance(found, BaseException):
                seen.append((window, found))
        await self._look(seen)
        if problem is not None:
            raise problem

    def _changed(self, panes: Mapping[Pane, int]) -> dict[Window, int]:
        """Every window over these panes, with its revision: the last one of its panes."""
        found: dict[Window, int] = {}
        for pane, revision in panes.items():
            for window in self._windows_over(pane):
                found[window] = max(revision, found.get(window, 0))
        return found

    def _windows_over(self, pane: Pane) -> Iterable[Window]:
        for window in windows_over(pane.window, self._size, self._hop):
            yield pane.release, window

    async def _look(self, read: Sequence[tuple[Window, ByPrompt]]) -> None:
        """Let the alarms see final windows. Those that they could not see are published once more."""
        left = list(read)
        while left:
            (release, when), by_prompt = left[0]
            try:
                await self._alarms.look(
                    release, when, tuple(by_prompt.values()), shown=release in self._shown
                )
            except ValueError as exc:
                metrics.set_aside.labels("alarm").inc()
                log.error("no alarm of release %.80s: %s", release, exc)
            except (StoreUnavailable, BrokerUnavailable):
                for window, _ in left:
                    self._published.pop(window, None)
                raise
            del left[0]

    async def _publish(
        self, release: str, window: TimeWindow, revision: int, final: bool
    ) -> ByPrompt:
        """Returns the counts that were published. `revision` is that of the open panes."""
        told, by_prompt = revision, dict[str, Counts]()
        try:
            parts = await asyncio.gather(
                *(
                    self._store.pane(Pane(release=release, window=pane))
                    for pane in panes_of(window, self._hop)
                )
            )
            told = max(part.revision for part in parts)
            by_prompt = dict(merged(part.by_prompt for part in parts))
            late = sum(part.late for part in parts)
            message = _report(release, window, by_prompt, told, final=final, late=late)
            await self._send(message, window)
        except (PoisonError, ValueError) as exc:
            # one window must not keep the others from being reported
            metrics.set_aside.labels("bias_report").inc()
            log.error("no report of release %.80s: %s", release, exc)
        self._published[release, window] = (told, final)
        return by_prompt

    async def _send(self, message: BiasReport, window: TimeWindow) -> None:
        record = outgoing(
            BIAS,
            message,
            key=message.release,
            event_id=f"{message.report_id}-{message.revision}{'-final' if message.final else ''}",
            source=SOURCE,
            time=datetime.now(UTC),
        )
        await self._publisher.publish(
            record.topic, key=record.key, value=record.value, headers=record.headers
        )
        newest = await self._store.keep_report(message.release, window, encode(message, JSON))
        if admitted(self._shown, message.release) and newest:
            _show(message)

    async def _close(self, panes: Mapping[Pane, int], finals: set[Window]) -> None:
        """Forget the panes whose windows are all published as final, at this revision or a later one."""
        for pane, revision in panes.items():
            if all(
                window in finals and self._published.get(window, (0, False))[0] >= revision
                for window in self._windows_over(pane)
            ):
                await self._store.close_pane(pane, revision)


def admitted(shown: set[str], release: str) -> bool:
    """Whether a release has gauges. The first ones to come are added and stay, whatever names follow."""
    if len(shown) < MAX_RELEASES_SHOWN:
        shown.add(release)
    return release in shown


def _report(
    release: str,
    window: TimeWindow,
    by_prompt: ByPrompt,
    revision: int,
    *,
    final: bool,
    late: int,
) -> BiasReport:
    """Raises ValueError for counts that no worker has written."""
    return bias_report_to_message(
        release=release,
        start=window.start,
        end=window.end,
        counts=complete(total(by_prompt.values())),
        metrics=report(by_prompt.values()),
        revision=revision,
        final=final,
        late=late,
        published_at=datetime.now(UTC),
    )


def _show(message: BiasReport) -> None:
    """Set the release's gauges."""
    metrics.bias_verdicts.labels(message.release).set(message.counts["n"])
    for metric in message.metrics:
        labels = (message.release, metric.name)
        if metric.HasField("value"):
            metrics.bias_value.labels(*labels).set(metric.value)
        if metric.HasField("interval"):
            metrics.bias_low.labels(*labels).set(metric.interval.low)
            metrics.bias_high.labels(*labels).set(metric.interval.high)
