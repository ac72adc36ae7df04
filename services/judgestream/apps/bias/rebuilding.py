"""Rebuilding of the bias counters in Redis from the verdict topic, while bias workers continue to count."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice

from judgestream.adapters.kafka.messages import OnSkip, decoded
from judgestream.adapters.kafka.reading import Offsets, TopicReader
from judgestream.adapters.kafka.verdict_topic import verdicts
from judgestream.adapters.redis.batch import Batch
from judgestream.adapters.redis.bias_store import BiasStore, Counted, scripts
from judgestream.adapters.redis.client import async_client
from judgestream.contracts.topics import VERDICTS
from judgestream.core.errors import ConfigurationError
from judgestream.evaluation.contribution import Contribution, contribution
from judgestream.evaluation.time_windows import window_of
from judgestream.settings import Settings
from judgestream.v1.judging_pb2 import Verdict as VerdictMessage

TOGETHER = 1000
"""Verdicts that are counted in one pipeline."""

NEVER_LATE = timedelta(days=1_000_000)


@dataclass(slots=True)
class Rebuilt:
    """read: verdicts on the topic that statistics count; counted: those of them that changed the counters."""

    read: int = 0
    counted: int = 0


async def rebuild(
    settings: Settings, *, on_skip: OnSkip, on_progress: Callable[[Rebuilt], object]
) -> Rebuilt:
    """Count every verdict on the topic anew, then use these counts in place of the present ones.

    The workers count into the present counters until the new ones take their place; what they count
    meanwhile is counted again from the topic.

    Raises:
        ConfigurationError: no Redis is set, or the topic is missing.
        StoreUnavailable, BrokerUnavailable: a server does not answer. The present counters are unchanged.
    """
    redis = async_client(settings.redis)
    if redis is None:
        raise ConfigurationError("the bias counters are in Redis: set JUDGESTREAM_REDIS__URL")
    batch = Batch(redis, scripts=scripts())
    try:
        with TopicReader(settings.kafka, VERDICTS, VerdictMessage) as reader:
            return await _rebuild(settings, batch, reader, on_skip, on_progress)
    finally:
        await batch.close()


async def _rebuild(
    settings: Settings,
    batch: Batch,
    reader: TopicReader[VerdictMessage],
    on_skip: OnSkip,
    on_progress: Callable[[Rebuilt], object],
) -> Rebuilt:
    done = Rebuilt()

    async def count(store: BiasStore, start: Offsets, end: Offsets) -> None:
        read = contributions(reader, start, end, on_skip)
        hop = timedelta(seconds=settings.bias.hop)
        while some := list(islice(read, TOGETHER)):
            outcomes = await asyncio.gather(
                *(store.count(one, window_of(one.time, hop)) for one in some)
            )
            done.read += len(some)
            done.counted += sum(outcome is not Counted.DUPLICATE for outcome in outcomes)
            on_progress(done)

    fresh = await _store(settings, batch).new_generation()
    first, last = reader.beginning(), reader.end()
    await count(_store(settings, batch, generation=fresh), first, last)
    store = _store(settings, batch)
    before = await store.use_generation(fresh)
    # what workers have counted into the counters before, since their end was read
    await count(_store(settings, batch, generation=fresh), last, reader.end())
    await store.drop_generation(before)
    return done


def _store(settings: Settings, batch: Batch, *, generation: str = "") -> BiasStore:
    bias = settings.bias
    return BiasStore(
        batch,
        prefix=settings.redis.prefix,
        lateness=NEVER_LATE,
        retention=timedelta(seconds=bias.retention_s),
        generation=generation,
    )


def contributions(
    reader: TopicReader[VerdictMessage], start: Offsets, end: Offsets, on_skip: OnSkip
) -> Iterator[Contribution]:
    """What the verdicts between these offsets contribute, in the order of reading."""
    records = decoded(reader.read(start, until=end), on_skip)
    for _, verdict in verdicts(records, on_skip=on_skip):
        if not verdict.is_counted:
            continue
        try:
            yield contribution(verdict)
        except ValueError as exc:
            on_skip(f"skipped verdict {verdict.verdict_id[:32]!r}: {exc}")
