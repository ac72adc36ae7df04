"""Suppression of judgements that were published before.

A judgement is identified by its verdict id. The worker remembers the newest ones, and Redis remembers all of
them for `judging.published_ttl_s`.

    redelivery (the same record again)                 suppressed
    resend (same content, same id) of a scored one     suppressed
    resend of an unscored one                          judged again: the reply may be readable this time
    any record of a failed request                     judged again: failures are not remembered
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
"""Judgements that the worker remembers without Redis."""


class Published(Protocol):
    """The memory in Redis: a note per verdict id."""

    async def note(self, verdict_id: str) -> str: ...

    def remember(self, verdict_id: str, note: str) -> None: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Known:
    """A judgement that was published."""

    scored: bool
    place: str
    requested_at: datetime | None

    def suppresses(self, record: Record) -> bool:
        return self.scored or self.place == record.place


class PublishedBefore:
    """The judgements that this worker and, through Redis, the other workers have published."""

    def __init__(self, published: Published) -> None:
        self._published = published
        self._recent: OrderedDict[str, str] = OrderedDict()
        self._in_progress: dict[str, Event] = {}

    @asynccontextmanager
    async def alone(self, verdict_id: str) -> AsyncIterator[Known | None]:
        """Hold a judgement exclusively; yields what was published of it by then.

        Records with the same verdict id have the same key, so the same partition and worker.
        """
        while (busy := self._in_progress.get(verdict_id)) is not None:
            await busy.wait()
        self._in_progress[verdict_id] = done = Event()
        try:
            note = self._recent.get(verdict_id) or await self._published.note(verdict_id)
            yield _known(note) if note else None
        finally:
            del self._in_progress[verdict_id]
            done.set()

    def remember(self, verdict: Verdict, record: Record) -> None:
        """Call when the delivery of the verdict is confirmed."""
        note = f"{verdict.status} {record.place} {verdict.requested_at.isoformat()}"
        self._recent[verdict.verdict_id] = note
        if len(self._recent) > REMEMBERED:
            self._recent.popitem(last=False)
        self._published.remember(verdict.verdict_id, note)


def _known(note: str) -> Known:
    """Parse a note. Notes of earlier versions have neither place nor time."""
    status, _, rest = note.partition(" ")
    place, _, time = rest.partition(" ")
    return Known(scored=status != Status.UNSCORED, place=place, requested_at=instant(time))
