"""Many records in flight, offsets committed for finished prefixes only.

Of the shapes that Faust offers, acknowledging the finished prefix of each partition, in order, is the one
that loses nothing under SIGKILL, SIGTERM, rebalances and exceptions (measured; see the README). A record is
finished when its handler returns; a handler that raises ends the worker with the record unacknowledged,
so that it is delivered again.
"""

import asyncio
import logging
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable
from typing import Any

log = logging.getLogger(__name__)

Event = Any  # faust ships no types: an event with `.message` (topic, tp, offset, ...) and `.ack()`
Queue = tuple[int, Any]


class Abandoned(Exception):
    """Raised inside a handler that waits while its partitions are taken away: the record comes again."""


def place(message: Any) -> str:
    """Where a record is, for a log line: topic[partition]@offset."""
    topic, partition = message.tp
    return f"{topic}[{partition}]@{message.offset}"


class _Slot:
    __slots__ = ("event", "finished")

    def __init__(self, event: Event) -> None:
        self.event = event
        self.finished = False


class Window:
    """At most `inflight` handlers at work, at most `outstanding` records not yet acknowledged.

    The second bound keeps one stuck record from letting memory, and the number of records judged twice
    after a crash, grow without limit. `forget` is told of messages that will not be acknowledged by this
    worker, so that a rebalance does not wait for them.
    """

    def __init__(
        self,
        *,
        inflight: int,
        outstanding: int,
        handle: Callable[[Event, "Window"], Awaitable[None]],
        crash: Callable[[BaseException], Awaitable[None]],
        forget: Callable[[Any], None],
    ) -> None:
        self._inflight = inflight
        self._outstanding_most = outstanding
        self._handle = handle
        self._crash = crash
        self._forget = forget
        self._queues: defaultdict[Queue, deque[_Slot]] = defaultdict(deque)
        self._tasks: set[asyncio.Task[None]] = set()
        self._outstanding = 0
        self._room = asyncio.Event()
        self._draining = asyncio.Event()

    @property
    def inflight(self) -> int:
        return len(self._tasks)

    @property
    def outstanding(self) -> int:
        return self._outstanding

    @property
    def draining(self) -> bool:
        """Whether the partitions are going, or the worker stops."""
        return self._draining.is_set()

    async def submit(self, event: Event) -> None:
        """Start the handler on this event, as soon as there is room. Called by one task only."""
        while not self._draining.is_set() and (
            len(self._tasks) >= self._inflight or self._outstanding >= self._outstanding_most
        ):
            self._room.clear()
            await self._room.wait()
        if self._draining.is_set():
            self._forget(event.message)
            return
        slot = _Slot(event)
        message = event.message
        key = (message.generation_id, message.tp)
        self._queues[key].append(slot)
        self._outstanding += 1
        task = asyncio.create_task(self._run(slot, key))
        self._tasks.add(task)
        task.add_done_callback(self._done)

    async def pause(self, seconds: float) -> None:
        """Wait inside a handler.

        Raises:
            Abandoned: the worker is losing its partitions or stopping; let it through.
        """
        try:
            await asyncio.wait_for(self._draining.wait(), seconds)
        except TimeoutError:
            return
        raise Abandoned

    def drain(self) -> None:
        """The partitions are being taken away, or the worker stops: waiting handlers give up now.

        Those that are inside a call to the judge finish it. What cannot be acknowledged any more is
        forgotten and will be delivered again.
        """
        self._draining.set()
        self._room.set()
        for queue in self._queues.values():
            self._settle(queue)

    def resume(self) -> None:
        """New partitions have been assigned: forget what is left of the old ones."""
        self._draining.clear()
        for key, queue in list(self._queues.items()):
            self._settle(queue)
            if not queue:
                del self._queues[key]
        self._room.set()

    async def _run(self, slot: _Slot, key: Queue) -> None:
        try:
            await self._handle(slot.event, self)
            slot.finished = True
        except Abandoned:
            self._abandon(slot)
        except Exception as exc:
            log.critical("%s ends this worker: %r", place(slot.event.message), exc)
            self._abandon(slot)
            await self._crash(exc)
            return
        queue = self._queues.get(key)
        if queue is not None:
            self._settle(queue)
            if not queue:
                del self._queues[key]

    def _settle(self, queue: deque[_Slot]) -> None:
        """Acknowledge the finished prefix. What is stuck behind an abandoned record is abandoned too."""
        while queue and queue[0].finished and queue[0].event is not None:
            queue.popleft().event.ack()
            self._outstanding -= 1
        stuck = False
        for slot in queue:
            stuck = stuck or slot.event is None
            if stuck and slot.finished:
                self._abandon(slot)
        if not self._draining.is_set() and all(slot.event is None for slot in queue):
            self._outstanding -= len(queue)
            queue.clear()

    def _abandon(self, slot: _Slot) -> None:
        if slot.event is not None:
            self._forget(slot.event.message)
            slot.event = None
            slot.finished = True

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        self._room.set()
