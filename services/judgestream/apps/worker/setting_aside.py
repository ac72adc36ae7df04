"""Dead-lettering of records that a worker cannot handle. It never fails because of the record's content."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Protocol

from judgestream.apps.worker import metrics
from judgestream.apps.worker.offset_tracker import Abandoned
from judgestream.apps.worker.status import WorkerStatus
from judgestream.contracts.events import Header, trace_headers
from judgestream.contracts.published import dead_letter_record
from judgestream.contracts.records import Record, dead_letter
from judgestream.core.errors import BrokerUnavailable, PoisonError

log = logging.getLogger(__name__)

Pause = Callable[[float], Awaitable[None]]
RETRY_S = 1.0


class Publisher(Protocol):
    async def publish(
        self, topic: str, *, key: bytes | None, value: bytes, headers: Sequence[Header]
    ) -> None: ...


class Aside(Protocol):
    """What becomes of a record that cannot be handled."""

    async def __call__(
        self, record: Record, error: PoisonError, pause: Pause, *, reason: str = ""
    ) -> None: ...


class SetAside:
    """Publishes dead letters of the Faust shell, and counts them by reason."""

    def __init__(self, publisher: Publisher, *, group: str, status: WorkerStatus) -> None:
        self._publisher = publisher
        self._group = group
        self._status = status

    async def __call__(
        self, record: Record, error: PoisonError, pause: Pause, *, reason: str = ""
    ) -> None:
        """Returns when the dead letter is confirmed. Waits for an unavailable broker without limit.

        Args:
            reason: label of the metric; the error's code if empty.

        Raises what `pause` raises.
        """
        log.warning("set aside: %s %s: %s", record.place, error.code, error)
        try:
            await self._publish(record, error, pause)
        except Abandoned:
            raise
        except Exception as exc:
            log.warning("the dead letter of %s has only its position: %s", record.place, exc)
            await self._publish(replace(record, key=None, value=None, headers=()), error, pause)
        metrics.set_aside.labels(reason or error.code).inc()
        self._status.count("set_aside")

    async def _publish(self, record: Record, error: PoisonError, pause: Pause) -> None:
        now = datetime.now(UTC)
        letter = dead_letter(
            record,
            error,
            attempts=1,
            first_failed_at=now,
            now=now,
            group=self._group,
            request_id="",
        )
        letter_record = dead_letter_record(
            letter,
            source=f"judgestream/{self._status.kind}",
            trace=trace_headers(record.headers),
        )
        while True:
            try:
                await self._publisher.publish(
                    letter_record.topic,
                    key=letter_record.key,
                    value=letter_record.value,
                    headers=letter_record.headers,
                )
                return
            except BrokerUnavailable as exc:
                metrics.retries.labels(exc.code).inc()
                log.warning("a dead letter is not published yet, retrying: %s", exc)
                await pause(RETRY_S)
