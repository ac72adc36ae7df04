"""Whether a judgement was published before, and how twins are kept apart.

A judgement is known by its verdict id. The newest are remembered by the worker itself, all of them by Redis
for as long as the settings say.

    a redelivery (the same record again)                 is suppressed
    a resend (the same content under the same id)        is suppressed where it was scored
    a resend of what could not be read (unscored)        is judged again: the reply may be readable this time
    anything about a failed request                      is judged again: failures are not remembered
"""

from asyncio import Event
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from judgestream.contracts.events import instant
from judgestream.contracts.records import Record
from judgestream.core.types import Status, Verdict

REMEMBERED = 10_000
"""Judgements that the worker itself remembers, whatever Redis does."""


class Published(Protocol):
    """Redis' memory: a note under a verdict id."""

    async def note(self, verdict_id: str) -> str: ...

    def remember(self, verdict_id: str, note: str) -> None: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Known:
    """What is known of a judgement that was published."""

    scored: bool
    place: str
    requested_at: datetime | None

    def suppresses(self, record: Record) -> bool:
        return self.scored or self.place == record.place


class PublishedBefore:
    """The judgements that this worker and, through Redis, its fellows have published."""

    def __init__(self, published: Published) -> None:
        self._published = published
        self._recent: OrderedDict[str, str] = OrderedDict()
        self._at_work: dict[str, Event] = {}

    @asynccontextmanager
    async def alone(self, verdict_id: str) -> AsyncIterator[Known | None]:
        """Work on a judgement while no twin of it is at work here; yields what is known of it by then.

        Twins have one key, hence one partition, hence one worker.
        """
        while (busy := self._at_work.get(verdict_id)) is not None:
            await busy.wait()
        self._at_work[verdict_id] = done = Event()
        try:
            note = self._recent.get(verdict_id) or await self._published.note(verdict_id)
            yield _known(note) if note else None
        finally:
            del self._at_work[verdict_id]
            done.set()

    def remember(self, verdict: Verdict, record: Record) -> None:
        """This verdict's delivery is confirmed."""
        note = f"{verdict.status} {record.place} {verdict.requested_at.isoformat()}"
        self._recent[verdict.verdict_id] = note
        if len(self._recent) > REMEMBERED:
            self._recent.popitem(last=False)
        self._published.remember(verdict.verdict_id, note)


def _known(note: str) -> Known:
    """A note of an earlier version of ours says no more than that there was one."""
    status, _, rest = note.partition(" ")
    place, _, time = rest.partition(" ")
    return Known(scored=status != Status.UNSCORED, place=place, requested_at=instant(time))
