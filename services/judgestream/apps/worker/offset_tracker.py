"""Records in flight, with offsets committed for finished prefixes only.

`OffsetTracker` runs a handler for every record and acknowledges, per partition, the longest prefix of
finished records. Faust commits what is acknowledged. Queues are kept per generation of the consumer group.

    event            the record                                       what is committed
    handler returns  FINISHED                                         the finished prefix of its partition
    handler waits    PENDING; up to `outstanding` records follow it   the prefix before it
    handler raises   ABANDONED; the worker crashes                    the prefix before it
    revoke, SIGTERM  a waiting handler ends as ABANDONED; a handler   the prefix before the ABANDONED one
                     inside a call finishes the call
    assign           what is left of earlier generations is dropped   nothing more of what was abandoned
    SIGKILL          lost with the worker                             what was committed before

Everything behind the committed offset is delivered again, so no record is lost (docs/reference/delivery.md).
"""

import asyncio
import logging
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

log = logging.getLogger(__name__)

Event = Any  # faust ships no types: an event with `.message` (topic, tp, offset, ...) and `.ack()`
PartitionKey = tuple[int, Any]
"""Generation of the consumer group, and the partition."""


class Abandoned(Exception):
    """Raised inside a waiting handler whose partitions are revoked: the record is delivered again."""


class State(Enum):
    PENDING = auto()
    """Its handler runs."""
    FINISHED = auto()
    """Its handler returned. Acknowledged once every record before it is finished, too."""
    ABANDONED = auto()
    """Not acknowledged by this worker."""


@dataclass(slots=True, eq=False)
class PendingRecord:
    event: Event
    state: State = State.PENDING


def place(message: Any) -> str:
    """A record's position for a log line: topic[partition]@offset."""
    topic, partition = message.tp
    return f"{topic}[{partition}]@{message.offset}"


class OffsetTracker:
    """At most `inflight` handlers run, and at most `outstanding` records are not yet acknowledged.

    The second bound keeps one stuck record from letting memory, and the number of records judged twice
    after a crash, grow without limit.
    """

    def __init__(
        self,
        *,
        inflight: int,
        outstanding: int,
        handle: Callable[[Event, "OffsetTracker"], Awaitable[None]],
        crash: Callable[[BaseException], Awaitable[None]],
        forget: Callable[[Any], None],
    ) -> None:
        """
        Args:
            crash: ends the worker; called with what a handler raised.
            forget: called with every message that this worker will not acknowledge, so that a rebalance
                does not wait for it.
        """
        self._max_inflight = inflight
        self._max_outstanding = outstanding
        self._handle = handle
        self._crash = crash
        self._forget = forget
        self._queues: defaultdict[PartitionKey, deque[PendingRecord]] = defaultdict(deque)
        self._tasks: set[asyncio.Task[None]] = set()
        self._outstanding = 0
        self._any_abandoned = False
        self._room = asyncio.Event()
        self._revoked = asyncio.Event()

    @property
    def inflight(self) -> int:
        """Handlers that run now."""
        return len(self._tasks)

    @property
    def outstanding(self) -> int:
        """Records submitted and not yet acknowledged."""
        return self._outstanding

    @property
    def revoked(self) -> bool:
        """Whether the partitions are being revoked, or the worker stops."""
        return self._revoked.is_set()

    async def submit(self, event: Event) -> None:
        """Start the handler for this event as soon as there is room. Call it from one task only."""
        while not self._revoked.is_set() and (
            len(self._tasks) >= self._max_inflight or self._outstanding >= self._max_outstanding
        ):
            self._room.clear()
            await self._room.wait()
        message = event.message
        if self._revoked.is_set():
            self._forget(message)
            return
        record = PendingRecord(event)
        key = (message.generation_id, message.tp)
        self._queues[key].append(record)
        self._outstanding += 1
        task = asyncio.create_task(self._run(record, key))
        self._tasks.add(task)
        task.add_done_callback(self._task_done)

    async def pause(self, seconds: float) -> None:
        """Wait inside a handler.

        Raises:
            Abandoned: the partitions are revoked or the worker stops. The handler must let it through.
        """
        try:
            await asyncio.wait_for(self._revoked.wait(), seconds)
        except TimeoutError:
            return
        raise Abandoned

    def on_revoke(self) -> None:
        """The partitions are being revoked, or the worker stops: waiting handlers end now.

        Handlers inside a call to the judge finish it. Records that can no longer be acknowledged are
        forgotten and will be delivered again.
        """
        self._revoked.set()
        self._room.set()
        for key in list(self._queues):
            self.ack_finished(key)

    def on_assign(self) -> None:
        """New partitions have been assigned: drop what is left of the earlier generations."""
        self._revoked.clear()
        for key in list(self._queues):
            self.ack_finished(key)
        self._any_abandoned = bool(self._queues)
        self._room.set()

    def ack_finished(self, key: PartitionKey) -> None:
        """Acknowledge the finished prefix of a partition. Finished records behind an abandoned one are
        abandoned, too."""
        queue = self._queues.get(key)
        if queue is None:
            return
        while queue and queue[0].state is State.FINISHED:
            queue.popleft().event.ack()
            self._outstanding -= 1
        if self._any_abandoned:
            self._drop_abandoned(queue)
        if not queue:
            del self._queues[key]

    async def _run(self, record: PendingRecord, key: PartitionKey) -> None:
        try:
            await self._handle(record.event, self)
            record.state = State.FINISHED
        except Abandoned:
            self._abandon(record)
        except Exception as exc:
            log.critical("%s ends this worker: %r", place(record.event.message), exc)
            self._abandon(record)
            await self._crash(exc)
            return
        self.ack_finished(key)

    def _drop_abandoned(self, queue: deque[PendingRecord]) -> None:
        behind = False
        for record in queue:
            behind = behind or record.state is State.ABANDONED
            if behind and record.state is State.FINISHED:
                self._abandon(record)
        if not self.revoked and all(record.state is State.ABANDONED for record in queue):
            self._outstanding -= len(queue)
            queue.clear()

    def _abandon(self, record: PendingRecord) -> None:
        self._any_abandoned = True
        record.state = State.ABANDONED
        self._forget(record.event.message)

    def _task_done(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        self._room.set()
