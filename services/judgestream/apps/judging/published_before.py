"""The memory of requests: which release each record was assigned to, and what was published of it.

The rules are those of `core.rollout.assignment`. The worker remembers the newest requests, and Redis all of
them for `judging.published_ttl_s`. A request that finds no memory costs one call of Redis, which also
remembers its assignment.

A note names the traced attempt that wrote it, for the span of a later one. No note is written for that alone.
"""

from asyncio import Event
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from judgestream.contracts.events import TRACE_PARENT
from judgestream.core.rollout.assignment import (
    Assignment,
    Memory,
    Outcome,
    Turn,
    from_text,
    merged,
    to_text,
    turn,
    with_record,
)
from judgestream.core.types import Status, Verdict
from judgestream.telemetry.spans import current

REMEMBERED = 10_000
"""Requests that the worker remembers without Redis."""


def attempt() -> str:
    """The running span as a `traceparent`; "" if it is not recorded."""
    span = current()
    return dict(span.headers())[TRACE_PARENT].decode() if span.recording else ""


class Published(Protocol):
    """The memory in Redis: a note per request. Without an answer of Redis, nothing is known of a request."""

    async def claim(self, key: str, note: str) -> str:
        """The note on a request. Where there is none, `note` becomes it, and "" is returned."""

    async def write(self, key: str, note: str) -> None:
        """Replace the note. Returns when Redis has it, or does not answer."""

    def remember(self, key: str, note: str) -> None:
        """Replace the note in the background."""


class PublishedBefore:
    """The requests that this worker and, through Redis, the other workers were given."""

    def __init__(self, published: Published) -> None:
        self._published = published
        self._recent: OrderedDict[str, Memory] = OrderedDict()
        self._in_progress: dict[str, Event] = {}

    @asynccontextmanager
    async def alone(self, key: str) -> AsyncIterator[None]:
        """Hold a request exclusively.

        Records with the same request id have the same key, so the same partition and worker.
        """
        while (busy := self._in_progress.get(key)) is not None:
            await busy.wait()
        self._in_progress[key] = done = Event()
        try:
            yield
        finally:
            del self._in_progress[key]
            done.set()

    async def turn(self, key: str, *, place: str, routed: str, requested_at: datetime) -> Turn:
        """What to do with a record of the request. It is assigned to the turn's release from now on.

        Args:
            place: of the record.
            routed: the release that the route gives.
        """
        first = Assignment(
            place=place, release=routed, requested_at=requested_at, attempt=attempt()
        )
        note = await self._published.claim(key, to_text([first]))
        stored = from_text(note) if note else (first,)
        known = merged(self._recent.get(key, ()), from_text(note))
        found = turn(known, place=place, routed=routed, requested_at=requested_at)
        if not found.suppressed:
            assigned = replace(first, release=found.release, requested_at=found.requested_at)
            self._keep(key, with_record(known, assigned))
            if self._recent[key] != stored:
                await self._published.write(key, to_text(self._recent[key]))
        return found

    async def reassign(self, key: str, *, place: str, release: str, requested_at: datetime) -> Turn:
        """Give a record of which nothing was published to another release."""
        others = tuple(one for one in self._recent.get(key, ()) if one.place != place)
        found = turn(others, place=place, routed=release, requested_at=requested_at)
        moved = Assignment(
            place=place, release=release, requested_at=found.requested_at, attempt=attempt()
        )
        self._keep(key, with_record(others, moved))
        await self._published.write(key, to_text(self._recent[key]))
        return found

    def published(self, key: str, *, place: str, verdict: Verdict) -> None:
        """Call when the delivery of the verdict is confirmed."""
        outcome = Outcome.UNSCORED if verdict.status is Status.UNSCORED else Outcome.SCORED
        record = Assignment(
            place=place,
            release=verdict.release,
            requested_at=verdict.requested_at,
            outcome=outcome,
            attempt=attempt(),
        )
        self._keep(key, with_record(self._recent.get(key, ()), record))
        self._published.remember(key, to_text(self._recent[key]))

    def _keep(self, key: str, memory: Memory) -> None:
        self._recent[key] = memory
        self._recent.move_to_end(key)
        if len(self._recent) > REMEMBERED:
            self._recent.popitem(last=False)
