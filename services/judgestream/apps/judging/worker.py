"""The judging worker: `judge.requests.v1` in, `judge.verdicts.v1` and `judge.dlq.v1` out."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count

from judgestream.adapters.images.fetching import ImageFetcher
from judgestream.adapters.preflight import check_kafka
from judgestream.apps.judging.connecting import connected, open_fleet, opener
from judgestream.apps.judging.connections import open_connections
from judgestream.apps.judging.judge_check import judge_check
from judgestream.apps.judging.request import RequestJudge
from judgestream.apps.judging.routed import RoutedJudges
from judgestream.apps.judging.routes import Routes, following
from judgestream.apps.judging.swap_rates import SwapRates
from judgestream.apps.worker import faust_app, metrics
from judgestream.apps.worker.backlog import paid_judge, place_group
from judgestream.apps.worker.board_keeper import on_board, redis_check
from judgestream.apps.worker.endpoints import serve_health
from judgestream.apps.worker.faust_app import OpenWorker, WorkerSpec
from judgestream.apps.worker.readiness import Ready, ignore_ready
from judgestream.apps.worker.setting_aside import Pause, SetAside
from judgestream.apps.worker.status import WorkerStatus
from judgestream.contracts.records import Record
from judgestream.contracts.topics import DEAD_LETTERS, REQUESTS, VERDICTS
from judgestream.core.backoff import Backoff
from judgestream.core.errors import ReleaseNotLoaded
from judgestream.settings import Settings

log = logging.getLogger(__name__)

LOOKS = Backoff(first_s=0.5, longest_s=5.0)
"""Pauses between two looks for a release that is not loaded."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """A loaded release: its name, and its parameters with those of a jury's members."""

    release: str
    parameters: list[Mapping[str, str]]


def main(settings: Settings, slot: int, ready: Ready = ignore_ready) -> int:
    """Check everything, then run until stopped. Returns the exit code.

    Raises:
        JudgestreamError: something is missing; the message says what, and how to fix it.
    """
    status = WorkerStatus(kind="judging", slot=slot, group=settings.judging.group)
    with on_board(settings.redis, status):
        health = serve_health(settings.worker, status)
        topic_id = check_kafka(
            settings.kafka, group=settings.judging.group, topics=(VERDICTS, REQUESTS, DEAD_LETTERS)
        )
        with following(settings) as routes:
            found = asyncio.run(_wait_for_release(settings, routes, status))
            place_group(
                settings.kafka,
                consumer=settings.judging,
                topic=REQUESTS,
                judge=paid_judge(found.parameters),
                accepted=settings.judging.accept_backlog,
            )
            spec = WorkerSpec(
                settings=settings,
                consumer=settings.judging,
                slot=slot,
                topic=REQUESTS,
                open=partial(
                    _opened,
                    settings,
                    status,
                    routes,
                    topic_id=topic_id,
                    default=found.release,
                ),
                status=status,
                ready=ready,
                health=health,
            )
            return faust_app.run(spec)


@asynccontextmanager
async def _opened(
    settings: Settings,
    status: WorkerStatus,
    routes: Routes,
    *,
    topic_id: str,
    default: str,
) -> AsyncIterator[OpenWorker]:
    """The worker with its connections: the judges, the producer, Redis.

    topic_id  of the verdict topic: what was published on an earlier topic of its name does not count
    default   the release that answers while no route has a stable one
    """
    async with AsyncExitStack() as stack:
        to = await open_connections(settings, stack, status, memory=topic_id)
        rates = SwapRates(settings.judging.swap_rate, to.batch, prefix=settings.redis.prefix)
        judges = RoutedJudges(
            opener(settings, to.spending, to.fleet, rates),
            default=default,
            status=status,
            most_s=settings.judging.max_age_s,
            follows=routes.followed,
        )
        stack.push_async_callback(judges.close)
        routes.feed(judges.take)
        await judges.start()
        images = await stack.enter_async_context(ImageFetcher(settings.images))
        requests = RequestJudge(
            judges=judges,
            publisher=to.publisher,
            published=to.published,
            settings=settings.judging,
            images=images,
        )

        async def handle(record: Record, pause: Pause) -> None:
            await requests.handle(record, pause)
            if to.published.available is not None:
                metrics.redis_available.set(to.published.available)

        log.info("judging with release %s", status.release)
        yield OpenWorker(
            handle=handle,
            aside=SetAside(to.publisher, group=settings.judging.group, status=status),
            background={"route": judges.follow, "swap rates": rates.run},
            ready=[
                partial(judge_check, judges, to.fleet),
                partial(redis_check, status, needed=False),
            ],
        )


async def _wait_for_release(settings: Settings, routes: Routes, status: WorkerStatus) -> Found:
    """The stable release of the route or, without a route, the one that the settings name. A release that is
    not loaded is waited for, and the status says so: the rollout service or a person loads it.

    Raises:
        BrokerUnavailable: the route is unknown.
        JudgeUnavailable, ConfigurationError: no Triton, or the model is not one of our judges.
    """
    routes.wait()
    for look in count(1):
        wanted = routes.newest.stable or settings.triton.release
        try:
            async with AsyncExitStack() as stack:
                fleet = await open_fleet(settings, stack, status)
                judges = await connected(settings, wanted, stack, fleet=fleet)
                found = Found(
                    release=judges[0].release.name,
                    parameters=[judge.parameters for judge in judges],
                )
            if look > 1:
                status.working()
            return found
        except ReleaseNotLoaded as exc:
            status.release = wanted
            status.paused(f"{exc.code}: {exc}")
            await asyncio.sleep(LOOKS(look))
    raise AssertionError("count never ends")
