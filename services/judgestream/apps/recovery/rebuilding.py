"""Everything in Redis that matters, rebuilt from the topics. Each step may be repeated."""

from collections.abc import Callable
from dataclasses import dataclass

from judgestream.adapters.kafka.messages import OnSkip
from judgestream.adapters.redis.batch import Batch
from judgestream.adapters.redis.client import async_client
from judgestream.adapters.redis.rebuilding import SCRIPTS
from judgestream.apps.bias.rebuilding import Rebuilt
from judgestream.apps.bias.rebuilding import rebuild as rebuild_windows
from judgestream.apps.recovery.alarms import rebuild_alarms
from judgestream.apps.recovery.published import rebuild_published
from judgestream.apps.recovery.spending import rebuild_spending
from judgestream.core.errors import ConfigurationError
from judgestream.settings import Settings

NOT_REBUILT = (
    "not on any topic: marks of Tritons to drain (`triton drain` sets them again), records to skip"
    " (`dlq skip`), and the times of reloads"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """A part that was rebuilt. `count` of its `noun`s were written."""

    name: str
    count: int
    noun: str


async def rebuild_all(
    settings: Settings, *, on_skip: OnSkip, on_step: Callable[[Step], object]
) -> None:
    """Rebuild the memory of published verdicts first: only it keeps requests from being judged twice.

    Raises:
        ConfigurationError: no Redis is set, or a topic is missing.
        StoreUnavailable, BrokerUnavailable: a server does not answer. Run it again.
    """
    redis = async_client(settings.redis)
    if redis is None:
        raise ConfigurationError("there is no Redis to rebuild: set JUDGESTREAM_REDIS__URL")
    batch = Batch(redis, scripts=SCRIPTS)
    try:
        notes = await rebuild_published(settings, batch)
        on_step(Step(name="published verdicts", count=notes, noun="note"))
        releases = await rebuild_spending(settings, batch, on_skip)
        on_step(Step(name="spending", count=releases, noun="release"))
        alarms = await rebuild_alarms(settings, batch, on_skip)
        on_step(Step(name="alarms", count=alarms, noun="release"))
    finally:
        await batch.close()
    windows: Rebuilt = await rebuild_windows(
        settings, on_skip=on_skip, on_progress=lambda done: None
    )
    on_step(Step(name="bias windows", count=windows.counted, noun="verdict"))
