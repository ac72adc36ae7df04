"""Counting of verdicts into the panes of their release's windows."""

import logging
from datetime import timedelta
from typing import Protocol

from judgestream.adapters.redis.bias_store import Counted
from judgestream.apps.worker import metrics
from judgestream.apps.worker.process_span import process_span
from judgestream.apps.worker.setting_aside import Pause
from judgestream.apps.worker.status import WorkerStatus
from judgestream.contracts.codecs.verdicts import verdict_from_message
from judgestream.contracts.events import header, trace_headers
from judgestream.contracts.records import Record
from judgestream.contracts.unknown_fields import check_known
from judgestream.contracts.wire import decode
from judgestream.core.errors import StoreUnavailable
from judgestream.core.types import Verdict
from judgestream.evaluation.contribution import Contribution, contribution
from judgestream.evaluation.time_windows import TimeWindow, window_of
from judgestream.settings import Bias
from judgestream.telemetry.handled import handled
from judgestream.telemetry.spans import NOT_RECORDED, Span, Value, current, tracing
from judgestream.v1.judging_pb2 import Verdict as VerdictMessage

log = logging.getLogger(__name__)

RETRY_S = 1.0


class CountStore(Protocol):
    """Where verdicts are counted: `BiasStore`."""

    async def count(
        self, one: Contribution, pane: TimeWindow, *, partition: int | None
    ) -> Counted: ...


class VerdictCounter:
    """Counts each verdict once."""

    def __init__(self, store: CountStore, settings: Bias, status: WorkerStatus) -> None:
        self._store = store
        self._hop = timedelta(seconds=settings.hop)
        self._group = settings.group
        self._status = status

    async def handle(self, record: Record, pause: Pause) -> None:
        """Returns once the verdict is counted, by this call or an earlier one. Waits for Redis without limit.

        Other producers may write to the topic: a record that is not a verdict is logged, counted as set
        aside, and left on the topic.
        """
        with self._span(record) as span:
            try:
                verdict = _verdict(record)
                ids = handled()
                ids.request_id, ids.verdict_id = verdict.request_id, verdict.verdict_id
                if span.recording:
                    span.put(_attributes(verdict))
                one = contribution(verdict) if verdict.is_counted else None
            except Exception as exc:
                self._set_aside(record, "not_a_verdict", str(exc))
                span.failed("not_a_verdict", str(exc))
                return
            if one is not None:
                outcome = await self._count_with_retries(one, record.partition, pause)
                name = outcome.name.lower()
                if outcome is Counted.LATE:
                    metrics.bias_late.inc()
            else:
                name = "probe" if verdict.is_probe else "follow_up"
            metrics.bias_verdicts_counted.labels(name).inc()
            span.put({"judgestream.outcome": name})

    def _span(self, record: Record) -> Span:
        """Below the span that sent the verdict. A verdict on a request that is not traced has none."""
        trace = trace_headers(record.headers) if tracing() else ()
        return process_span(record, trace, group=self._group) if trace else NOT_RECORDED

    async def _count_with_retries(self, one: Contribution, partition: int, pause: Pause) -> Counted:
        while True:
            try:
                outcome = await self._store.count(
                    one, window_of(one.time, self._hop), partition=partition
                )
            except StoreUnavailable as exc:
                metrics.retries.labels(exc.code).inc()
                metrics.redis_available.set(0)
                self._status.waiting(f"verdicts are not counted while Redis is unavailable: {exc}")
                current().event("retry", {"error.type": exc.code})
                await pause(RETRY_S)
                continue
            metrics.redis_available.set(1)
            self._status.working()
            return outcome

    def _set_aside(self, record: Record, reason: str, text: str) -> None:
        metrics.set_aside.labels(reason).inc()
        self._status.count("set_aside")
        log.warning("not counted: %s: %s", record.place, text)


def _attributes(verdict: Verdict) -> dict[str, Value]:
    return {
        "judgestream.request_id": verdict.request_id,
        "judgestream.verdict_id": verdict.verdict_id,
        "judgestream.release": verdict.release,
        "judgestream.mode": verdict.mode,
    }


def _verdict(record: Record) -> Verdict:
    """Raises: UndecodableRecord, ValueError."""
    message = decode(VerdictMessage, record.value, header(record.headers, "content-type"))
    check_known(message)
    return verdict_from_message(message)
