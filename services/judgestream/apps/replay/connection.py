"""The release of a replay: its connection, its prices, and its speed on the known good prompt."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from time import monotonic

from judgestream.adapters.redis.batch import Batch
from judgestream.adapters.redis.client import async_client
from judgestream.adapters.redis.spending import ADD, Spending
from judgestream.adapters.triton.fleet_judge import FleetJudge
from judgestream.apps.judging.connecting import connected, requests_judge
from judgestream.apps.judging.one_release import RequestsJudge
from judgestream.apps.worker.status import WorkerStatus
from judgestream.core.jury import is_jury
from judgestream.core.probe import known_good
from judgestream.core.replay_cost import Asked, Size
from judgestream.settings import Settings
from judgestream.template_files import template_of


@dataclass(frozen=True, kw_only=True, slots=True)
class Connected:
    """judge: with retries and budget. asked: what each release costs, in the order of the judge's plans."""

    judge: RequestsJudge
    asked: tuple[Asked, ...]
    status: WorkerStatus


@asynccontextmanager
async def open_release(settings: Settings, release: str) -> AsyncIterator[Connected]:
    """Connect to a release that is loaded, and ask it the known good prompt.

    Raises:
        ReleaseNotLoaded, JudgeUnavailable, ConfigurationError: as `connected` and `requests_judge`.
        JudgestreamError: it does not answer the known good prompt.
    """
    async with AsyncExitStack() as stack:
        connections = await connected(settings, release, stack)
        redis = async_client(settings.redis)
        batch = None if redis is None else Batch(redis, scripts=(ADD,))
        if batch is not None:
            stack.push_async_callback(batch.redis.aclose)
        spending = Spending(batch, prefix=settings.redis.prefix)
        stack.push_async_callback(spending.close)
        status = WorkerStatus(kind="replay", slot=0)
        status.release = release
        judge = requests_judge(connections, settings, spending, status)
        single = [one for one in connections if not is_jury(one.parameters)]
        asked = [await _asked(one) for one in single]
        yield Connected(judge=judge, asked=tuple(asked), status=status)


async def _asked(judge: FleetJudge) -> Asked:
    """Time the known good prompt. Where it is free it is asked twice, because the first answer warms up."""
    passes = known_good(template_of(judge.release))
    for _ in range(1 if judge.terms.prices.stated else 2):
        started = monotonic()
        await judge.ask(passes)
        took = monotonic() - started
    return Asked(
        prices=judge.terms.prices,
        known_good_bytes=Size.of(passes).prompt_bytes,
        known_good_s=took,
    )
