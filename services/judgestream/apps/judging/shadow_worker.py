"""The shadow worker: `judge.requests.v1` in, `judge.shadow.v1` and `judge.probes.v1` out.

It has its own consumer group and limits its calls in flight, so its trouble does not reach live requests. It
needs no release to start: without one in shadow it commits the records unread.
"""

import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

from judgestream.adapters.images.fetching import ImageFetcher
from judgestream.adapters.kafka.producer import Publisher
from judgestream.adapters.preflight import check_kafka
from judgestream.adapters.redis.batch import Batch, connect
from judgestream.adapters.redis.published import Published
from judgestream.adapters.redis.spending import ADD, Spending
from judgestream.apps.judging.connecting import open_fleet, opener
from judgestream.apps.judging.routed import FollowedJudges
from judgestream.apps.judging.routes import Routes, following
from judgestream.apps.judging.shadow import ShadowJudge, wanted
from judgestream.apps.worker import faust_app, metrics
from judgestream.apps.worker.backlog import place_group
from judgestream.apps.worker.board_keeper import on_board
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
                open=partial(_opened, settings, slot, status, routes, topic_id=topic_id),
                status=status,
                ready=ready,
                collect=COLLECT,
            )
            return faust_app.run(spec)


@asynccontextmanager
async def _opened(
    settings: Settings, slot: int, status: WorkerStatus, routes: Routes, *, topic_id: str
) -> AsyncIterator[OpenWorker]:
    """The worker with its connections.

    topic_id  of the shadow topic: what was published on an earlier topic of its name does not count
    """
    shadow, default = settings.shadow, settings.triton.release
    judging = settings.judging.model_copy(update={"inflight": shadow.inflight})
    async with AsyncExitStack() as stack:
        publisher = Publisher(settings.kafka, client_id=f"judgestream-shadow-{slot}")
        await publisher.start()
        stack.push_async_callback(publisher.stop)
        redis = connect(settings.redis)
        batch = None if redis is None else Batch(redis, scripts=(ADD,))
        published = Published(
            batch,
            prefix=f"{settings.redis.prefix}:shadow:{topic_id}",
            ttl_s=settings.judging.published_ttl_s,
        )
        stack.push_async_callback(published.close)
        spending = Spending(batch, prefix=settings.redis.prefix)
        stack.push_async_callback(spending.close)
        fleet = await open_fleet(settings, stack, status)
        judges = FollowedJudges(
            opener(settings.model_copy(update={"judging": judging}), spending, fleet),
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
            publisher=publisher,
            published=published,
            settings=judging,
            images=await stack.enter_async_context(ImageFetcher(settings.images)),
            default=default,
            probe_share=shadow.probe_share,
        )
        yield OpenWorker(handle=shadows.handle, aside=leave, background={"route": judges.follow})


async def leave(record: Record, error: PoisonError, pause: Pause, *, reason: str = "") -> None:
    """Leave a record that cannot be handled: the judging workers dead-letter it."""
    log.warning("not judged in shadow: %s %s: %s", record.place, error.code, error)
    metrics.set_aside.labels(reason or error.code).inc()
