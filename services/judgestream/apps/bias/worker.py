"""The bias worker: `judge.verdicts.v1` in, one growing report per release and window out.

Reports go to `judge.bias.v1`, to Redis (`report:<release>`) and to Prometheus. The counters live in Redis,
where every worker adds to the same window and a redelivered verdict counts once. While Redis is away nothing
is counted and nothing is committed: the verdicts wait in Kafka.
"""

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from time import monotonic
from uuid import uuid4

from judgestream.adapters.kafka.producer import Publisher
from judgestream.adapters.preflight import check_kafka, check_redis
from judgestream.adapters.redis.batch import Batch, connect
from judgestream.adapters.redis.bias_store import BiasStore, Counted, OpenWindow, scripts
from judgestream.apps.worker import faust_app, metrics
from judgestream.apps.worker.backlog import place_group
from judgestream.apps.worker.board_keeper import on_board
from judgestream.apps.worker.faust_app import OpenWorker, WorkerSpec
from judgestream.apps.worker.readiness import Ready, ignore_ready
from judgestream.apps.worker.setting_aside import Pause, SetAside
from judgestream.apps.worker.status import WorkerStatus
from judgestream.contracts.codecs.times import timestamp
from judgestream.contracts.codecs.verdicts import verdict_from_message
from judgestream.contracts.events import JSON, header
from judgestream.contracts.outgoing import outgoing
from judgestream.contracts.records import Record
from judgestream.contracts.topics import BIAS, DEAD_LETTERS, VERDICTS
from judgestream.contracts.wire import decode, encode
from judgestream.core import limits
from judgestream.core.errors import (
    BrokerUnavailable,
    ConfigurationError,
    PoisonError,
    StoreUnavailable,
    UndecodableRecord,
)
from judgestream.core.types import Status, Verdict
from judgestream.evaluation.probes import complete, observe, report
from judgestream.evaluation.time_windows import EPOCH, TimeWindow, is_final, window_of
from judgestream.settings import Bias, Settings
from judgestream.v1.bias_pb2 import BiasMetric, BiasReport, Interval
from judgestream.v1.judging_pb2 import Verdict as VerdictMessage

log = logging.getLogger(__name__)

SOURCE = "judgestream/bias"
NO_REDIS = "the bias worker counts in Redis: set JUDGESTREAM_REDIS__URL"
RETRY_S = 1.0
SHOWN_RELEASES = 200
"""Gauges are for this many releases: anybody may publish verdicts under new names."""


class VerdictCounter:
    """Counts verdicts into their windows."""

    def __init__(self, store: BiasStore, settings: Bias, status: WorkerStatus) -> None:
        self._store = store
        self._size = timedelta(seconds=settings.window_s)
        self._ahead = timedelta(seconds=settings.window_s + settings.lateness_s)
        self._status = status
        self.counted_at = monotonic()

    async def handle(self, record: Record, pause: Pause) -> None:
        """Returns once the verdict is counted, now or before; waits for Redis without limit.

        Somebody else may write to our topic: what is not a verdict is named, counted as set aside, and stays
        where it is.
        """
        try:
            verdict = _verdict(record)
        except Exception as exc:
            self._set_aside(record, "not_a_verdict", str(exc))
            return
        if verdict.is_probe:
            metrics.bias_counted.labels("probe").inc()
            return
        if len(verdict.release.encode()) > limits.RELEASE or len(verdict.verdict_id) > limits.ID:
            self._set_aside(record, "oversized_id", "its release or verdict id is too long")
            return
        while True:
            try:
                outcome = await self._count(verdict)
            except StoreUnavailable as exc:
                metrics.retries.labels(exc.code).inc()
                metrics.redis_available.set(0)
                self._status.waiting(f"bias is not counted while Redis is away: {exc}")
                await pause(RETRY_S)
                continue
            break
        metrics.redis_available.set(1)
        self._status.working()
        metrics.bias_counted.labels(outcome.name.lower()).inc()
        if outcome is Counted.EXPIRED:
            metrics.bias_expired.inc()
        elif outcome is Counted.LATE:
            metrics.bias_late.inc()
        elif outcome is Counted.AHEAD:
            text = f"its time {verdict.requested_at.isoformat()} lies ahead of Redis' clock"
            self._set_aside(record, "time_ahead", text)
        self.counted_at = monotonic()

    def _set_aside(self, record: Record, reason: str, text: str) -> None:
        metrics.set_aside.labels(reason).inc()
        self._status.count("set_aside")
        log.warning(
            "not counted: %s[%d]@%d: %s", record.topic, record.partition, record.offset, text
        )

    async def _count(self, verdict: Verdict) -> Counted:
        time = verdict.requested_at
        return await self._store.count(
            verdict_key=verdict.verdict_id,
            release=verdict.release,
            window=window_of(time, self._size),
            time_ms=(time - EPOCH) // timedelta(milliseconds=1),
            counts=observe(verdict),
            failed=verdict.status is Status.FAILED,
            ahead=self._ahead,
        )


def _verdict(record: Record) -> Verdict:
    """Raises: UndecodableRecord, ValueError."""
    message = decode(VerdictMessage, record.value, header(record.headers, "content-type"))
    if not message.verdict_id or not message.HasField("requested_at"):
        raise UndecodableRecord("a verdict needs verdict_id and requested_at")
    return verdict_from_message(message)


class ReportPublisher:
    """Publishes every window that has changed; one worker of the group at a time does."""

    def __init__(
        self, store: BiasStore, publisher: Publisher, counter: VerdictCounter, settings: Bias
    ) -> None:
        self._store = store
        self._publisher = publisher
        self._counter = counter
        self._settings = settings
        self._holder = uuid4().hex
        self._told: dict[str, int] = {}
        self._shown: set[str] = set()

    async def run(self) -> None:
        """Until cancelled."""
        every = self._settings.publish_interval_s
        while True:
            await asyncio.sleep(every)
            try:
                if await self._store.lease(self._holder, every * 3 + 5):
                    await self._publish_changed()
            except (StoreUnavailable, BrokerUnavailable) as exc:
                log.warning("no bias report now: %s", exc)

    async def _publish_changed(self) -> None:
        lateness = timedelta(seconds=self._settings.lateness_s)
        idle = monotonic() - self._counter.counted_at
        if idle > self._settings.window_s + self._settings.lateness_s:
            await self._store.advance()  # a stream that has ended still closes its windows
        mark = EPOCH + timedelta(milliseconds=await self._store.watermark_ms())
        for window in await self._store.open_windows():
            final = is_final(window.window, mark, lateness)
            message = bias_report(window, final=final, now=datetime.now(UTC))
            if not final and self._told.get(message.report_id) == window.changes:
                continue
            try:
                await self._publish(message, window.window)
            except PoisonError as exc:
                # one window must not keep the others from being reported
                metrics.set_aside.labels("bias_report").inc()
                log.error("no report of release %.80s: %s", message.release, exc)
            self._told[message.report_id] = window.changes
            if final:
                self._told.pop(message.report_id)
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
        if not newest or len(self._shown) > SHOWN_RELEASES:
            return
        metrics.bias_verdicts.labels(message.release).set(message.counts["n"])
        for metric in message.metrics:
            if metric.HasField("value"):
                labels = (message.release, metric.name)
                metrics.bias_value.labels(*labels).set(metric.value)
                metrics.bias_low.labels(*labels).set(metric.interval.low)
                metrics.bias_high.labels(*labels).set(metric.interval.high)


def bias_report(window: OpenWindow, *, final: bool, now: datetime) -> BiasReport:
    """The report of a window's counts. Its id names release and window, its revision counts the changes."""
    start, end = timestamp(window.window.start), timestamp(window.window.end)
    name = f"{window.release}|{start.ToJsonString()}|{end.ToJsonString()}"
    return BiasReport(
        report_id=hashlib.sha256(name.encode()).hexdigest()[:32],
        release=window.release,
        window_start=start,
        window_end=end,
        counts=complete(window.counts),
        metrics=[
            BiasMetric(
                name=metric.name,
                value=metric.value,
                n=metric.n,
                interval=None
                if metric.interval is None
                else Interval(
                    low=metric.interval.low,
                    high=metric.interval.high,
                    level=metric.interval.level,
                    method=metric.interval.method,
                ),
            )
            for metric in report(window.counts)
        ],
        revision=window.changes,
        final=final,
        late=window.late,
        published_at=timestamp(now),
    )


def main(settings: Settings, slot: int, ready: Ready = ignore_ready) -> int:
    """Check everything, then run until stopped. Returns the exit code.

    Raises:
        JudgestreamError: something is missing; the message says what, and how to fix it.
    """
    if not settings.redis.url.get_secret_value():
        raise ConfigurationError(NO_REDIS)
    status = WorkerStatus(kind="bias", slot=slot, group=settings.bias.group)
    with on_board(settings.redis, status):
        check_kafka(
            settings.kafka, group=settings.bias.group, topics=(VERDICTS, BIAS, DEAD_LETTERS)
        )
        place_group(settings.kafka, consumer=settings.bias, topic=VERDICTS)
        try:
            warning = check_redis(settings.redis)
        except StoreUnavailable as exc:
            warning = f"{exc}; nothing is counted until it does"
        if warning:
            log.warning("%s", warning)
        spec = WorkerSpec(
            settings=settings,
            consumer=settings.bias,
            slot=slot,
            topic=VERDICTS,
            open=partial(_opened, settings, slot, status),
            status=status,
            ready=ready,
        )
        return faust_app.run(spec)


@asynccontextmanager
async def _opened(settings: Settings, slot: int, status: WorkerStatus) -> AsyncIterator[OpenWorker]:
    """The worker with its connections: Redis and the producer."""
    async with AsyncExitStack() as stack:
        redis = connect(settings.redis)
        if redis is None:
            raise ConfigurationError(NO_REDIS)
        batch = Batch(redis, scripts=scripts())
        stack.push_async_callback(batch.close)
        store = BiasStore(
            batch,
            prefix=settings.redis.prefix,
            lateness=timedelta(seconds=settings.bias.lateness_s),
            retention=timedelta(seconds=settings.bias.retention_s),
        )
        publisher = Publisher(settings.kafka, client_id=f"judgestream-bias-{slot}")
        await publisher.start()
        stack.push_async_callback(publisher.stop)
        counter = VerdictCounter(store, settings.bias, status)
        yield OpenWorker(
            handle=counter.handle,
            aside=SetAside(publisher, group=settings.bias.group, status=status),
            background={
                "bias report": ReportPublisher(store, publisher, counter, settings.bias).run
            },
        )
