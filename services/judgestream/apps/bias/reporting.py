"""Publishing of bias reports. One worker of the group does it at a time, under a lease in Redis.

A report goes to `judge.bias.v1`, to Redis (`report:<release>`) and to Prometheus.
"""

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from time import monotonic
from uuid import uuid4

from judgestream.adapters.kafka.producer import Publisher
from judgestream.adapters.redis.bias_store import BiasStore, OpenWindow
from judgestream.apps.bias.counting import VerdictCounter
from judgestream.apps.worker import metrics
from judgestream.contracts.codecs.bias import bias_report_to_message
from judgestream.contracts.events import JSON
from judgestream.contracts.outgoing import outgoing
from judgestream.contracts.topics import BIAS
from judgestream.contracts.wire import encode
from judgestream.core.errors import BrokerUnavailable, PoisonError, StoreUnavailable
from judgestream.evaluation.probes import complete, report
from judgestream.evaluation.time_windows import EPOCH, TimeWindow, is_final
from judgestream.settings import Bias
from judgestream.v1.bias_pb2 import BiasReport

log = logging.getLogger(__name__)

SOURCE = "judgestream/bias"

MAX_RELEASES_SHOWN = 200
"""Releases with gauges. Bounded, because anybody may publish verdicts under new names."""


class ReportPublisher:
    """Publishes every window that has changed."""

    def __init__(
        self, store: BiasStore, publisher: Publisher, counter: VerdictCounter, settings: Bias
    ) -> None:
        self._store = store
        self._publisher = publisher
        self._counter = counter
        self._settings = settings
        self._holder = uuid4().hex
        self._published: dict[str, int] = {}
        self._shown: set[str] = set()

    async def run(self) -> None:
        """Publish at intervals, until cancelled."""
        interval = self._settings.publish_interval_s
        while True:
            await asyncio.sleep(interval)
            try:
                if await self._store.lease(self._holder, interval * 3 + 5):
                    await self._publish_changed()
            except (StoreUnavailable, BrokerUnavailable) as exc:
                log.warning("bias reports are delayed: %s", exc)

    async def _publish_changed(self) -> None:
        lateness = timedelta(seconds=self._settings.lateness_s)
        idle = monotonic() - self._counter.counted_at
        if idle > self._settings.window_s + self._settings.lateness_s:
            # the windows of a stream that has ended still close
            await self._store.advance()
        watermark = EPOCH + timedelta(milliseconds=await self._store.watermark_ms())
        for window in await self._store.open_windows():
            final = is_final(window.window, watermark, lateness)
            message = _report(window, final=final)
            if not final and self._published.get(message.report_id) == window.changes:
                continue
            try:
                await self._publish(message, window.window)
            except PoisonError as exc:
                # one window must not keep the others from being reported
                metrics.set_aside.labels("bias_report").inc()
                log.error("no report of release %.80s: %s", message.release, exc)
            self._published[message.report_id] = window.changes
            if final:
                self._published.pop(message.report_id)
                await self._store.close_window(window)

    async def _publish(self, message: BiasReport, window: TimeWindow) -> None:
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
        self._shown.add(message.release)
        if newest and len(self._shown) <= MAX_RELEASES_SHOWN:
            _show(message)


def _report(window: OpenWindow, *, final: bool) -> BiasReport:
    return bias_report_to_message(
        release=window.release,
        start=window.window.start,
        end=window.window.end,
        counts=complete(window.counts),
        metrics=report(window.counts),
        revision=window.changes,
        final=final,
        late=window.late,
        published_at=datetime.now(UTC),
    )


def _show(message: BiasReport) -> None:
    """Set the release's gauges."""
    metrics.bias_verdicts.labels(message.release).set(message.counts["n"])
    for metric in message.metrics:
        if metric.HasField("value"):
            labels = (message.release, metric.name)
            metrics.bias_value.labels(*labels).set(metric.value)
            metrics.bias_low.labels(*labels).set(metric.interval.low)
            metrics.bias_high.labels(*labels).set(metric.interval.high)
