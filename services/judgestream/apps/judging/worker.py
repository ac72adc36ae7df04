"""The judging worker: `judge.requests.v1` in, `judge.verdicts.v1` and `judge.dlq.v1` out."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from itertools import count

from judgestream.adapters.images.fetching import ImageFetcher
from judgestream.adapters.kafka.producer import Publisher
from judgestream.adapters.preflight import check_kafka
from judgestream.adapters.redis.batch import Batch, connect
from judgestream.adapters.redis.published import Published
from judgestream.adapters.redis.spending import ADD, Spending
from judgestream.apps.judging.connecting import connected, open_fleet, requests_judge
from judgestream.apps.judging.request import RequestJudge
from judgestream.apps.worker import faust_app, metrics
from judgestream.apps.worker.backlog import paid_judge, place_group
from judgestream.apps.worker.board_keeper import on_board
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


def main(settings: Settings, slot: int, ready: Ready = ignore_ready) -> int:
    """Check everything, then run until stopped. Returns the exit code.

    Raises:
        JudgestreamError: something is missing; the message says what, and how to fix it.
    """
    status = WorkerStatus(kind="judging", slot=slot, group=settings.judging.group)
    with on_board(settings.redis, status):
        topic_id = check_kafka(
            settings.kafka, group=settings.judging.group, topics=(VERDICTS, REQUESTS, DEAD_LETTERS)
        )
        parameters = asyncio.run(_wait_for_release(settings, status))
        place_group(
            settings.kafka,
            consumer=settings.judging,
            topic=REQUESTS,
            judge=paid_judge(parameters),
            accepted=settings.judging.accept_backlog,
        )
        spec = WorkerSpec(
            settings=settings,
            consumer=settings.judging,
            slot=slot,
            topic=REQUESTS,
            open=partial(_opened, settings, slot, status, topic_id=topic_id),
            status=status,
            ready=ready,
        )
        return faust_app.run(spec)


@asynccontextmanager
async def _opened(
    settings: Settings, slot: int, status: WorkerStatus, *, topic_id: str
) -> AsyncIterator[OpenWorker]:
    """The worker with its connections: the judge, the producer, Redis.

    topic_id  of the verdict topic: what was published on an earlier topic of its name does not count
    """
    async with AsyncExitStack() as stack:
        fleet = await open_fleet(settings, stack, status)
        judges = await connected(settings, settings.triton.release, stack, fleet=fleet)
        publisher = Publisher(settings.kafka, client_id=f"judgestream-judging-{slot}")
        await publisher.start()
        stack.push_async_callback(publisher.stop)
        redis = connect(settings.redis)
        batch = None if redis is None else Batch(redis, scripts=(ADD,))
        published = Published(
            batch,
            prefix=f"{settings.redis.prefix}:{topic_id}",
            ttl_s=settings.judging.published_ttl_s,
        )
        stack.push_async_callback(published.close)
        spending = Spending(batch, prefix=settings.redis.prefix)
        stack.push_async_callback(spending.close)
        judge = requests_judge(judges, settings, spending, status)
        images = await stack.enter_async_context(ImageFetcher(settings.images))
        requests = RequestJudge(
            judge=judge,
            publisher=publisher,
            published=published,
            settings=settings.judging,
            images=images,
        )

        async def handle(record: Record, pause: Pause) -> None:
            await requests.handle(record, pause)
            metrics.redis_available.set(published.available)

        status.release = judge.release.name
        log.info("judging with release %s", judge.release.name)
        yield OpenWorker(
            handle=handle,
            aside=SetAside(publisher, group=settings.judging.group, status=status),
        )


async def _wait_for_release(settings: Settings, status: WorkerStatus) -> list[Mapping[str, str]]:
    """The parameters of the release, and of a jury's members. A release that is not loaded is waited for, and
    the status says so: the controller or a person loads it.

    Raises:
        JudgeUnavailable, ConfigurationError: no Triton, or the model is not one of our judges.
    """
    for look in count(1):
        try:
            async with AsyncExitStack() as stack:
                fleet = await open_fleet(settings, stack, status)
                judges = await connected(settings, settings.triton.release, stack, fleet=fleet)
                return [one.parameters for one in judges]
        except ReleaseNotLoaded as exc:
            status.release = settings.triton.release
            status.paused(f"{exc.code}: {exc}")
            await asyncio.sleep(LOOKS(look))
    raise AssertionError("count never ends")
