"""Handling of one record in the Faust shell: it is handled, or set aside as a dead letter."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from judgestream.adapters.kafka.record_time import record_time
from judgestream.adapters.kafka.unreadable import Unreadable, unreadable
from judgestream.apps.worker import metrics
from judgestream.apps.worker.offset_tracker import Abandoned, Event, OffsetTracker, place
from judgestream.apps.worker.setting_aside import Aside, Pause
from judgestream.apps.worker.status import WorkerStatus
from judgestream.apps.worker.watchdog import Activity
from judgestream.contracts.events import IncomingHeader
from judgestream.contracts.records import Record
from judgestream.core.backoff import Backoff
from judgestream.core.errors import InternalError, SkippedByHand, UnreadableBatch
from judgestream.telemetry.handled import Handled, handle

log = logging.getLogger(__name__)

Handle = Callable[[Record, Pause], Awaitable[None]]
"""Handles a record. Waits only with the `Pause`; returns when the record is done with."""


class RecordHandling:
    """The handler of an `OffsetTracker`: passes the record to `handle`, or sets it aside where that fails."""

    def __init__(
        self, handle: Handle, *, aside: Aside, activity: Activity, status: WorkerStatus
    ) -> None:
        self._handle = handle
        self._aside = aside
        self._activity = activity
        self._status = status
        self._streak = FailureStreak(status)

    async def __call__(self, event: Event, tracker: OffsetTracker) -> None:
        """Returns when the record is done with.

        Raises:
            Abandoned: the record will be delivered again.
        """

        async def pause(seconds: float) -> None:
            self._activity.events += 1
            await tracker.pause(seconds)

        record = _record(event.message)
        handle(Handled(topic=record.topic, partition=record.partition, offset=record.offset))
        position = (record.topic, record.partition, record.offset)
        if (damage := unreadable(record.headers)) is not None:
            await self._set_aside_damage(record, damage, pause)
        elif position in self._status.skips:
            error = SkippedByHand("set aside by hand: judgestream dlq skip")
            await self._aside(record, error, pause)
            self._status.skipped.append(position)
        else:
            await self._try(record, event, tracker, pause)
        self._activity.events += 1
        metrics.inflight.set(tracker.inflight)
        metrics.outstanding.set(tracker.outstanding)

    async def _set_aside_damage(self, record: Record, damage: Unreadable, pause: Pause) -> None:
        start = replace(record, offset=damage.first_offset, headers=())
        await self._aside(start, UnreadableBatch(str(damage)), pause, reason=damage.fault)

    async def _try(
        self, record: Record, event: Event, tracker: OffsetTracker, pause: Pause
    ) -> None:
        """Handle the record. One that ends in an unexpected error is set aside."""
        try:
            await self._handle(record, pause)
            self._streak.end()
        except Abandoned:
            raise
        except Exception as exc:
            if tracker.revoked:
                # what the handler uses may be closed already: the record is delivered again
                raise Abandoned from exc
            log.exception("%s could not be handled", place(event.message))
            error = InternalError(f"{type(exc).__name__}: {exc}")
            await self._aside(record, error, pause)
            await self._streak.add(error, pause)


class FailureStreak:
    """Records in a row that ended in an unexpected error.

    A few are odd records. Many are a fault of the worker, which must not dead-letter the whole queue: each
    further one waits longer, and the worker's state says why.
    """

    WITHOUT_PAUSE = 3
    PAUSES = Backoff(first_s=2.0, longest_s=30.0)

    def __init__(self, status: WorkerStatus) -> None:
        self._status = status
        self._count = 0

    def end(self) -> None:
        """A record was handled."""
        if self._count > self.WITHOUT_PAUSE:
            self._status.working()
        self._count = 0

    async def add(self, error: InternalError, pause: Pause) -> None:
        """Another record failed: wait, if there were too many in a row."""
        self._count += 1
        if self._count > self.WITHOUT_PAUSE:
            self._status.waiting(f"every record ends in an unexpected error: {error}")
            await pause(self.PAUSES(self._count - self.WITHOUT_PAUSE))


def _record(message: Any) -> Record:
    """A Faust message as a record."""
    return Record(
        topic=message.topic,
        partition=message.partition,
        offset=message.offset,
        time=record_time(None if message.timestamp is None else message.timestamp * 1000),
        key=message.key,
        value=message.value,
        headers=_headers(message.headers),
    )


def _headers(headers: Any) -> tuple[IncomingHeader, ...]:
    if not headers:
        return ()
    pairs = headers.items() if hasattr(headers, "items") else headers
    return tuple((key, value) for key, value in pairs)
