"""The bias worker: `judge.verdicts.v1` in, one growing report per release and window out.

Reports go to `judge.bias.v1`, to Redis (`report:<release>`) and to Prometheus. The counters live in Redis,
where every worker adds to the same window and a redelivered verdict counts once. While Redis is away nothing
is counted and nothing is committed: the verdicts wait in Kafka.
"""

import asyncio
import hashlib
import logging
from datetime import UTC, datetime, timedelta
from time import monotonic
from uuid import uuid4

from judgestream.adapters.kafka.producer import Publisher
from judgestream.adapters.preflight import check_kafka
from judgestream.adapters.redis.batch import Batch, connect
from judgestream.adapters.redis.bias_store import BiasStore, Counted, OpenWindow, scripts
from judgestream.apps import faust_app, metrics
from judgestream.apps.readiness import Ready, nobody_waits
from judgestream.apps.watchdog import Movement
from judgestream.contracts.codecs import timestamp, verdict_from_message
from judgestream.contracts.events import JSON, event_headers, header
from judgestream.contracts.records import Record
from judgestream.contracts.topics import BIAS, VERDICTS
from judgestream.contracts.wire import decode, encode
from judgestream.core.bias.counts import BiasCounts
from judgestream.core.bias.report import report
from judgestream.core.bias.windows import EPOCH, is_final, window_of
from judgestream.core.errors import (
    BrokerUnavailable,
    ConfigurationError,
    StoreUnavailable,
    UndecodableRecord,
)
from judgestream.core.types import Status, Verdict
from judgestream.settings import Bias, Settings
from judgestream.v1.bias_pb2 import BiasMetric, BiasReport, Interval
from judgestream.v1.judging_pb2 import Verdict as VerdictMessage

log = logging.getLogger(__name__)

SOURCE = "judgestream/bias"
INFLIGHT = 256
OUTSTANDING = 2048
RETRY_S = 1.0


class VerdictCounter:
    """Counts verdicts into their windows."""

    def __init__(self, store: BiasStore, settings: Bias) -> None:
        self._store = store
        self._size = timedelta(seconds=settings.window_s)
        self._ahead = timedelta(seconds=settings.window_s + settings.lateness_s)
        self.counted_at = monotonic()

    async def handle(self, record: Record, pause: faust_app.Pause) -> None:
        """Returns once the verdict is counted, now or before; waits for Redis without limit."""
        try:
            message = decode(VerdictMessage, record.value, header(record.headers, "content-type"))
            verdict = verdict_from_message(message)
        except (UndecodableRecord, ValueError) as exc:
            # somebody else wrote to our topic: there is no verdict to count, and the record stays there
            log.warning(
                "not a verdict: %s[%d]@%d: %s", record.topic, record.partition, record.offset, exc
            )
            metrics.requests.labels("undecodable").inc()
            return
        while True:
            try:
                outcome = await self._count(verdict)
            except StoreUnavailable as exc:
                metrics.retries.labels(exc.code).inc()
                metrics.redis_available.set(0)
                log.warning("bias is not counted while Redis is away: %s", exc)
                await pause(RETRY_S)
                continue
            break
        metrics.redis_available.set(1)
        metrics.requests.labels(outcome.name.lower()).inc()
        if outcome is Counted.EXPIRED:
            metrics.bias_expired.inc()
        self.counted_at = monotonic()

    async def _count(self, verdict: Verdict) -> Counted:
        now = datetime.now(UTC)
        time = verdict.requested_at
        believable = time - now <= self._ahead
        kind = ":failed" if verdict.status is Status.FAILED else ""
        return await self._store.count(
            verdict_key=verdict.verdict_id
            + kind,  # a replay's verdict counts beside its failed one
            release=verdict.release,
            window=window_of(time, self._size),
            time_ms=(time - EPOCH) // timedelta(milliseconds=1) if believable else -1,
            counts=BiasCounts.from_verdict(verdict),
        )


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
            now_ms = (datetime.now(UTC) - EPOCH) // timedelta(milliseconds=1)
            await self._store.advance(now_ms)  # a stream that has ended still closes its windows
        mark = EPOCH + timedelta(milliseconds=await self._store.watermark_ms())
        for window in await self._store.open_windows():
            final = is_final(window.window, mark, lateness)
            message = bias_report(window, final=final, now=datetime.now(UTC))
            if not final and self._told.get(message.report_id) == window.counts.n:
                continue
            await self._publish(message)
            self._told[message.report_id] = window.counts.n
            if final:
                self._told.pop(message.report_id)
                await self._store.close_window(window)

    async def _publish(self, message: BiasReport) -> None:
        headers = event_headers(
            event_type=BIAS.event_type,
            event_id=f"{message.report_id}-{message.revision}{'-final' if message.final else ''}",
            source=SOURCE,
            time=datetime.now(UTC),
        )
        await self._publisher.publish(
            BIAS.name, key=message.release.encode(), value=encode(message), headers=headers
        )
        await self._store.keep_report(message.release, encode(message, JSON))
        metrics.bias_verdicts.labels(message.release).set(message.counts["n"])
        for metric in message.metrics:
            if metric.HasField("value"):
                labels = (message.release, metric.name)
                metrics.bias_value.labels(*labels).set(metric.value)
                metrics.bias_low.labels(*labels).set(metric.interval.low)
                metrics.bias_high.labels(*labels).set(metric.interval.high)


def bias_report(window: OpenWindow, *, final: bool, now: datetime) -> BiasReport:
    """The report of a window's counts. Its id names the release and the window, its revision the growth."""
    start, end = timestamp(window.window.start), timestamp(window.window.end)
    name = f"{window.release}|{start.ToJsonString()}|{end.ToJsonString()}"
    return BiasReport(
        report_id=hashlib.sha256(name.encode()).hexdigest()[:32],
        release=window.release,
        window_start=start,
        window_end=end,
        counts=window.counts.as_mapping(),
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
        revision=window.counts.n,
        final=final,
        late=window.late,
        published_at=timestamp(now),
    )


class _Worker:
    def __init__(self, settings: Settings, slot: int) -> None:
        self._settings = settings
        self._slot = slot
        self._counter: VerdictCounter | None = None

    async def open(self) -> None:
        settings = self._settings
        redis = connect(settings.redis)
        if redis is None:
            raise ConfigurationError("the bias worker counts in Redis: set JUDGESTREAM_REDIS__URL")
        self._batch = Batch(redis, scripts=scripts())
        store = BiasStore(
            self._batch,
            prefix=settings.redis.prefix,
            lateness=timedelta(seconds=settings.bias.lateness_s),
            retention=timedelta(seconds=settings.bias.retention_s),
        )
        self._publisher = Publisher(settings.kafka, client_id=f"judgestream-bias-{self._slot}")
        await self._publisher.start()
        self._counter = VerdictCounter(store, settings.bias)
        reports = ReportPublisher(store, self._publisher, self._counter, settings.bias)
        self._reporting = asyncio.create_task(reports.run())

    async def close(self) -> None:
        if self._counter is not None:
            self._reporting.cancel()
            await asyncio.gather(self._reporting, return_exceptions=True)
            await self._publisher.stop()
            await self._batch.close()

    async def handle(self, record: Record, pause: faust_app.Pause) -> None:
        if self._counter is None:
            raise RuntimeError("a record came before the worker was open")
        await self._counter.handle(record, pause)


def main(settings: Settings, slot: int, ready: Ready = nobody_waits) -> int:
    """Check, then run until told to stop. Returns the exit code.

    Raises:
        JudgestreamError: something is missing; the message says what, and the mend.
    """
    check_kafka(settings.kafka, group=settings.bias.group, topics=(VERDICTS, BIAS))
    if not settings.redis.url.get_secret_value():
        raise ConfigurationError("the bias worker counts in Redis: set JUDGESTREAM_REDIS__URL")
    faust_app.use_uvloop()
    worker = _Worker(settings, slot)
    movement = Movement()
    app = faust_app.build(
        settings=settings,
        group=settings.bias.group,
        slot=slot,
        topic=VERDICTS,
        inflight=INFLIGHT,
        outstanding=OUTSTANDING,
        handle=worker.handle,
        opening=worker.open,
        closing=worker.close,
        movement=movement,
        ready=ready,
    )
    return faust_app.run(app, settings=settings, group=settings.bias.group, movement=movement)
