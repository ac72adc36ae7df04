"""The memory of published verdicts, rebuilt from the verdict topics.

A request that is delivered again is suppressed if the memory has its place on the request topic. Verdicts do
not tell that place, so the requests that the group has not committed are read: only those can be delivered
again. A resend has another place, and is suppressed by the release that has scored the request.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice

from judgestream.adapters.kafka.consuming import Incoming
from judgestream.adapters.kafka.group_offsets import group_offsets
from judgestream.adapters.kafka.reading import TopicReader
from judgestream.adapters.kafka.topics import admin, topic_identity
from judgestream.adapters.redis.batch import Batch
from judgestream.adapters.redis.rebuilding import swap
from judgestream.contracts.codecs.requests import request_from_message
from judgestream.contracts.codecs.verdicts import verdict_from_message
from judgestream.contracts.topics import PROBES, REQUESTS, SHADOW, VERDICTS, Topic
from judgestream.core.errors import JudgestreamError, UndecodableRecord
from judgestream.core.identity import content_digest, request_key, verdict_id
from judgestream.core.rollout.assignment import (
    Assignment,
    Outcome,
    from_text,
    merged,
    to_text,
)
from judgestream.core.types import Status, Verdict
from judgestream.settings import Settings
from judgestream.v1.judging_pb2 import JudgeRequest
from judgestream.v1.judging_pb2 import Verdict as VerdictMessage

TOGETHER = 500
"""Notes that are written in one pipeline."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Memory:
    """One memory of published verdicts.

    name       of its keys in Redis, below the prefix
    group      that reads the requests
    by_release whether a request has a note for every release, instead of one
    """

    name: str
    group: str
    topics: tuple[Topic, ...]
    by_release: bool


def memories(settings: Settings) -> tuple[Memory, ...]:
    """As the judging and the shadow workers name them: by the identity of the topic that they publish to."""
    with closing(admin(settings.kafka)) as client:
        judging = topic_identity(client, VERDICTS)
        shadow = f"shadow:{topic_identity(client, SHADOW)}"
    return (
        Memory(name=judging, group=settings.judging.group, topics=(VERDICTS,), by_release=False),
        Memory(name=shadow, group=settings.shadow.group, topics=(SHADOW, PROBES), by_release=True),
    )


Places = Mapping[str, list[str]]
"""Request key -> places of its requests that may be delivered again, oldest first."""


async def rebuild_published(settings: Settings, batch: Batch) -> int:
    """Write the notes that are missing. Workers may run. Returns how many were written.

    Raises:
        StoreUnavailable, BrokerUnavailable: a server does not answer. Run it again.
    """
    written = 0
    for memory in await asyncio.to_thread(memories, settings):
        places = await asyncio.to_thread(_places, settings, memory.group)
        for topic in memory.topics:
            written += await _rebuild(settings, batch, memory, topic, places)
    return written


async def _rebuild(
    settings: Settings, batch: Batch, memory: Memory, topic: Topic, places: Places
) -> int:
    now, ttl = datetime.now(UTC), timedelta(seconds=settings.judging.published_ttl_s)
    prefix = f"{settings.redis.prefix}:{memory.name}:assigned:"
    written = 0
    with TopicReader(settings.kafka, topic, VerdictMessage) as reader:
        records = reader.read(reader.since(now - ttl), until=reader.end())
        while some := await asyncio.to_thread(lambda: list(islice(records, TOGETHER))):
            outcomes = await asyncio.gather(
                *(
                    _note(batch, prefix, memory, verdict, incoming, places, now + ttl - published)
                    for incoming in some
                    if (verdict := _verdict(incoming)) is not None
                    and (published := incoming.record.time or now) > now - ttl
                )
            )
            written += sum(outcomes)
    return written


async def _note(
    batch: Batch,
    prefix: str,
    memory: Memory,
    verdict: Verdict,
    incoming: Incoming[VerdictMessage],
    places: Places,
    left: timedelta,
) -> bool:
    key = request_key(verdict.request_id, verdict.mode, verdict.content_digest)
    note = note_of(verdict, places.get(key, ()), fallback=incoming.record.place)
    name = key
    if memory.by_release:
        name = verdict_id(verdict.request_id, verdict.release, verdict.mode, verdict.content_digest)

    ttl_ms = max(1, left // timedelta(milliseconds=1))
    return await swap(batch, prefix + name, partial(with_note, note=note), ttl_ms=ttl_ms)


def note_of(verdict: Verdict, places: Iterable[str], *, fallback: str) -> Assignment:
    """What the memory has to know of a published verdict: its outcome, at the first place of its request that
    may be delivered again, else at one that no request has."""
    return Assignment(
        place=next(iter(places), fallback),
        release=verdict.release,
        requested_at=verdict.requested_at,
        outcome=Outcome.UNSCORED if verdict.status is Status.UNSCORED else Outcome.SCORED,
    )


def with_note(text: str, note: Assignment) -> str:
    """The memory's text with this note, unless it knows as much of the note's release already."""
    held = from_text(text)
    if any(one.release == note.release and one.outcome is Outcome.SCORED for one in held):
        return text
    found = merged((note,), held)
    return text if found == held else to_text(found)


def _places(settings: Settings, group: str) -> Places:
    """Of the requests from the group's committed offsets on."""
    found: dict[str, list[str]] = defaultdict(list)
    with closing(admin(settings.kafka)) as client:
        committed: Mapping[int, int] = {
            tp.partition: place.offset
            for tp, place in group_offsets(client, group).items()
            if tp.topic == REQUESTS.name and place.offset >= 0
        }
    with TopicReader(settings.kafka, REQUESTS, JudgeRequest) as reader:
        start, end = reader.beginning(), reader.end()
        first = {n: min(end[n], max(at, committed.get(n, 0))) for n, at in start.items()}
        for incoming in reader.read(first, until=end):
            if (key := _key(incoming)) is not None:
                found[key].append(incoming.record.place)
    return found


def _key(incoming: Incoming[JudgeRequest]) -> str | None:
    """None for a record that is not a request: nothing was published of it that is suppressed."""
    if isinstance(incoming.message, UndecodableRecord):
        return None
    try:
        request = request_from_message(incoming.message)
        return request_key(request.request_id, request.mode, content_digest(request))
    except (JudgestreamError, ValueError):
        return None


def _verdict(incoming: Incoming[VerdictMessage]) -> Verdict | None:
    """None for a record whose request is judged again in any case."""
    if isinstance(incoming.message, UndecodableRecord):
        return None
    try:
        verdict = verdict_from_message(incoming.message)
    except ValueError:
        return None
    judged = verdict.status is not Status.FAILED and verdict.content_digest
    return verdict if judged else None
