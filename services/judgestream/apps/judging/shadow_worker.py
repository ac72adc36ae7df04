"""The shadow worker: `judge.requests.v1` in, `judge.shadow.v1` and `judge.probes.v1` out.

It has its own consumer group and limits its calls in flight, so its trouble does not reach live requests. It
needs no release to start: without one in shadow it commits the records unread.
"""

import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

from judgestream.adapters.images.fetching import ImageFetcher
from judgestream.adapters.preflight import check_kafka
from judgestream.apps.judging.connecting import opener
from judgestream.apps.judging.connections import open_connections
from judgestream.apps.judging.judge_check import judge_check
from judgestream.apps.judging.routed import FollowedJudges
from judgestream.apps.judging.routes import Routes, following
from judgestream.apps.judging.shadow import ShadowJudge, wanted
from judgestream.apps.worker import faust_app, metrics
from judgestream.apps.worker.backlog import place_group
from judgestream.apps.worker.board_keeper import on_board, redis_check
from judgestream.apps.worker.endpoints import serve_health
from judgestream.apps.worker.faust_app import OpenWorker, WorkerSpec
from judgestream.apps.worker.readiness import Ready, ignore_ready
from judgestream.apps.worker.setting_aside import Pause
from judgestream.apps.worker.status import WorkerStatus
from judgestream.contracts.records import Record
from judgestream.contracts.topics import PROBES, REQUESTS, SHADOW
from judgestream.core.errors import PoisonError
from judgestream.core.limits import KIB
from judgestream.settings import Settings

log = logging.getLogger(__name__)

COLLECT = 256 * KIB
"""Bytes per fetch, of requests that nobody waits for."""


def main(settings: Settings, slot: int, ready: Ready = ignore_ready) -> int:
    """Check everything, then run until stopped. Returns the exit code.

    Raises:
        JudgestreamError: something is missing; the message says what, and how to fix it.
    """
    status = WorkerStatus(kind="shadow", slot=slot, group=settings.shadow.group)
    with on_board(settings.redis, status):
        health = serve_health(settings.worker, status)
        topic_id = check_kafka(
            settings.kafka, group=settings.shadow.group, topics=(SHADOW, REQUESTS, PROBES)
        )
        with following(settings) as routes:
            routes.wait()
            place_group(settings.kafka, consumer=settings.shadow, topic=REQUESTS)
            spec = WorkerSpec(
                settings=settings,
                consumer=settings.shadow,
                slot=slot,
                topic=REQUESTS,
                open=partial(_opened, settings, status, routes, topic_id=topic_id),
                status=status,
                ready=ready,
                health=health,
                collect=COLLECT,
            )
            return faust_app.run(spec)


@asynccontextmanager
async def _opened(
    settings: Settings, status: WorkerStatus, routes: Routes, *, topic_id: str
) -> AsyncIterator[OpenWorker]:
    """The worker with its connections.

    topic_id  of the shadow topic: what was published on an earlier topic of its name does not count
    """
    shadow, default = settings.shadow, settings.triton.release
    judging = settings.judging.model_copy(update={"inflight": shadow.inflight})
    async with AsyncExitStack() as stack:
        to = await open_connections(settings, stack, status, memory=f"shadow:{topic_id}")
        judges = FollowedJudges(
            opener(settings.model_copy(update={"judging": judging}), to.spending, to.fleet),
            wanted=wanted(default, shadow.probe_share),
            status=status,
            most_s=judging.max_age_s,
            follows=routes.followed,
        )
        stack.push_async_callback(judges.close)
        routes.feed(judges.take)
        await judges.start()
        shadows = ShadowJudge(
            judges=judges,
            publisher=to.publisher,
            published=to.published,
            settings=judging,
            images=await stack.enter_async_context(ImageFetcher(settings.images)),
            default=default,
            probe_share=shadow.probe_share,
            group=shadow.group,
        )
        yield OpenWorker(
            handle=shadows.handle,
            aside=leave,
            background={"route": judges.follow},
            ready=[
                partial(judge_check, judges, to.fleet),
                partial(redis_check, status, needed=False),
            ],
        )


async def leave(record: Record, error: PoisonError, pause: Pause, *, reason: str = "") -> None:
    """Leave a record that cannot be handled: the judging workers dead-letter it."""
    log.warning("not judged in shadow: %s %s: %s", record.place, error.code, error)
    metrics.set_aside.labels(reason or error.code).inc()
