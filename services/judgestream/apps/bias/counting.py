"""Counting of verdicts into the windows of their release."""

import logging
from datetime import timedelta
from time import monotonic
from typing import Protocol

from judgestream.adapters.redis.bias_store import Counted
from judgestream.apps.worker import metrics
from judgestream.apps.worker.setting_aside import Pause
from judgestream.apps.worker.status import WorkerStatus
from judgestream.contracts.codecs.verdicts import verdict_from_message
from judgestream.contracts.events import header
from judgestream.contracts.records import Record
from judgestream.contracts.wire import decode
from judgestream.core import limits
from judgestream.core.errors import StoreUnavailable, UndecodableRecord
from judgestream.core.types import Status, Verdict
from judgestream.evaluation.probes import observe
from judgestream.evaluation.time_windows import EPOCH, TimeWindow, window_of
from judgestream.settings import Bias
from judgestream.v1.judging_pb2 import Verdict as VerdictMessage

log = logging.getLogger(__name__)

RETRY_S = 1.0


class CountStore(Protocol):
    """Where verdicts are counted: `BiasStore`."""

    async def count(
        self,
        *,
        verdict_key: str,
        release: str,
        window: TimeWindow,
        time_ms: int,
        counts: dict[str, int],
        status: Status,
        ahead: timedelta,
    ) -> Counted: ...


class VerdictCounter:
    """Counts each verdict once.

    counted_at  `monotonic` time of the last verdict that was counted
    """

    def __init__(self, store: CountStore, settings: Bias, status: WorkerStatus) -> None:
        self._store = store
        self._size = timedelta(seconds=settings.window_s)
        self._ahead = timedelta(seconds=settings.window_s + settings.lateness_s)
        self._status = status
        self.counted_at = monotonic()

    async def handle(self, record: Record, pause: Pause) -> None:
        """Returns once the verdict is counted, by this call or an earlier one. Waits for Redis without limit.

        Other producers may write to the topic: a record that is not a verdict is logged, counted as set
        aside, and left on the topic.
        """
        try:
            verdict = _verdict(record)
            counts = observe(verdict)
        except Exception as exc:
            self._set_aside(record, "not_a_verdict", str(exc))
            return
        if not verdict.is_counted:
            metrics.bias_verdicts_counted.labels("probe" if verdict.is_probe else "follow_up").inc()
            return
        if len(verdict.release.encode()) > limits.RELEASE or len(verdict.verdict_id) > limits.ID:
            self._set_aside(record, "oversized_id", "its release or verdict id is too long")
            return
        outcome = await self._count_with_retries(verdict, counts, pause)
        metrics.bias_verdicts_counted.labels(outcome.name.lower()).inc()
        if outcome is Counted.EXPIRED:
            metrics.bias_expired.inc()
        elif outcome is Counted.LATE:
            metrics.bias_late.inc()
        elif outcome is Counted.AHEAD:
            text = f"its time {verdict.requested_at.isoformat()} is ahead of Redis' clock"
            self._set_aside(record, "time_ahead", text)
        self.counted_at = monotonic()

    async def _count_with_retries(
        self, verdict: Verdict, counts: dict[str, int], pause: Pause
    ) -> Counted:
        while True:
            try:
                outcome = await self._count(verdict, counts)
            except StoreUnavailable as exc:
                metrics.retries.labels(exc.code).inc()
                metrics.redis_available.set(0)
                self._status.waiting(f"verdicts are not counted while Redis is unavailable: {exc}")
                await pause(RETRY_S)
                continue
            metrics.redis_available.set(1)
            self._status.working()
            return outcome

    async def _count(self, verdict: Verdict, counts: dict[str, int]) -> Counted:
        time = verdict.requested_at
        return await self._store.count(
            verdict_key=verdict.verdict_id,
            release=verdict.release,
            window=window_of(time, self._size),
            time_ms=(time - EPOCH) // timedelta(milliseconds=1),
            counts=counts,
            status=verdict.status,
            ahead=self._ahead,
        )

    def _set_aside(self, record: Record, reason: str, text: str) -> None:
        metrics.set_aside.labels(reason).inc()
        self._status.count("set_aside")
        log.warning("not counted: %s: %s", record.place, text)


def _verdict(record: Record) -> Verdict:
    """Raises: UndecodableRecord, ValueError."""
    message = decode(VerdictMessage, record.value, header(record.headers, "content-type"))
    if not message.verdict_id or not message.HasField("requested_at"):
        raise UndecodableRecord("a verdict needs verdict_id and requested_at")
    return verdict_from_message(message)
