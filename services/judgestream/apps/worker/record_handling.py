"""What becomes of one record in the Faust shell: it is handled, or it is set aside."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from judgestream.adapters.kafka.record_time import record_time
from judgestream.adapters.kafka.unreadable import unreadable
from judgestream.apps.worker import metrics
from judgestream.apps.worker.offset_tracker import Abandoned, Event, Window, place
from judgestream.apps.worker.setting_aside import Pause, SetAside
from judgestream.apps.worker.status import WorkerStatus
from judgestream.apps.worker.watchdog import Movement
from judgestream.contracts.events import IncomingHeader
from judgestream.contracts.records import Record
from judgestream.core.errors import InternalError, SkippedByHand, UnreadableBatch

log = logging.getLogger(__name__)


class RecordHandling:
    """The handler of a window: gives a record to `handle`, or sets it aside when that cannot be done.

    `aside` is asked for what sets a record aside when it is needed.
    """

    def __init__(
        self,
        handle: Callable[[Record, Pause], Awaitable[None]],
        *,
        aside: Callable[[], SetAside],
        movement: Movement,
        status: WorkerStatus,
    ) -> None:
        self._handle = handle
        self._aside = aside
        self._movement = movement
        self._status = status
        self._streak = Streak(status)

    async def __call__(self, event: Event, window: Window) -> None:
        """Returns when the record is done with.

        Raises:
            Abandoned: the record comes again.
        """

        async def pause(seconds: float) -> None:
            self._movement.moves += 1
            await window.pause(seconds)

        record = _record(event.message)
        stands = unreadable(record.headers)
        if stands is not None:
            where = replace(record, offset=stands.first_offset, headers=())
            await self._aside()(where, UnreadableBatch(str(stands)), pause, reason=stands.fault)
        elif (at := (record.topic, record.partition, record.offset)) in self._status.skips:
            error = SkippedByHand("set aside by hand: judgestream dlq skip")
            await self._aside()(record, error, pause)
            self._status.skipped.append(at)
        else:
            await self._try(record, event, window, pause)
        self._movement.moves += 1
        metrics.inflight.set(window.inflight)
        metrics.outstanding.set(window.outstanding)

    async def _try(self, record: Record, event: Event, window: Window, pause: Pause) -> None:
        """Handle the record; one that ends in an error of ours is set aside."""
        try:
            await self._handle(record, pause)
            self._streak.broken()
        except Abandoned:
            raise
        except Exception as exc:
            if window.draining:
                # what the handler uses may be closed already: the record comes again
                raise Abandoned from exc
            log.exception("%s could not be handled", place(event.message))
            error = InternalError(f"{type(exc).__name__}: {exc}")
            await self._aside()(record, error, pause)
            await self._streak.another(error, pause)


class Streak:
    """Records in a row that ended in an error of ours. A few are odd records; many are a fault of the worker,
    which must not burn the queue: each one more is waited for longer, and the board says why.
    """

    AT_ONCE = 3
    LONGEST_S = 30.0

    def __init__(self, status: WorkerStatus) -> None:
        self._status = status
        self._count = 0

    def broken(self) -> None:
        if self._count > self.AT_ONCE:
            self._status.working()
        self._count = 0

    async def another(self, error: InternalError, pause: Pause) -> None:
        self._count += 1
        if self._count > self.AT_ONCE:
            self._status.waiting(f"one record after the other ends in an error of ours: {error}")
            await pause(min(self.LONGEST_S, 2.0 ** (self._count - self.AT_ONCE)))


def _record(message: Any) -> Record:
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
