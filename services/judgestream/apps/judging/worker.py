"""The judging worker: `judge.requests.v1` in, `judge.verdicts.v1` and `judge.dlq.v1` out."""

import asyncio
import logging
from collections.abc import Mapping

from judgestream.adapters.kafka.producer import Publisher
from judgestream.adapters.preflight import check_kafka
from judgestream.adapters.redis.batch import Batch, connect
from judgestream.adapters.redis.published import Published
from judgestream.adapters.triton import TritonJudge
from judgestream.apps.judging.request import RequestJudge
from judgestream.apps.worker import faust_app, metrics
from judgestream.apps.worker.backlog import paid, place_group
from judgestream.apps.worker.board_keeper import on_board
from judgestream.apps.worker.readiness import Ready, nobody_waits
from judgestream.apps.worker.setting_aside import Pause, SetAside
from judgestream.apps.worker.status import WorkerStatus
from judgestream.apps.worker.watchdog import Movement
from judgestream.contracts.records import Record
from judgestream.contracts.topics import DEAD_LETTERS, REQUESTS, VERDICTS
from judgestream.core.errors import ReleaseNotLoaded
from judgestream.core.templates import template
from judgestream.settings import Settings

log = logging.getLogger(__name__)


class _Worker:
    """Holds what lives as long as the event loop: the judge's channel, the producer, Redis."""

    def __init__(self, settings: Settings, slot: int, status: WorkerStatus, *, output: str) -> None:
        """`output` tells this verdict topic from an earlier one of the same name."""
        self._settings = settings
        self._slot = slot
        self._status = status
        self._output = output
        self._requests: RequestJudge | None = None
        self._published: Published | None = None

    async def open(self) -> None:
        settings = self._settings
        self._judge = await TritonJudge.connect(
            settings.triton.grpc, settings.triton.release, deadline_s=settings.judging.deadline_s
        )
        self._publisher = Publisher(settings.kafka, client_id=f"judgestream-judging-{self._slot}")
        await self._publisher.start()
        self._aside = SetAside(self._publisher, group=settings.judging.group, status=self._status)
        redis = connect(settings.redis)
        self._published = Published(
            None if redis is None else Batch(redis),
            prefix=f"{settings.redis.prefix}:{self._output}",
            ttl_s=settings.judging.published_ttl_s,
        )
        self._requests = RequestJudge(
            judge=self._judge,
            publisher=self._publisher,
            published=self._published,
            settings=settings.judging,
            status=self._status,
        )
        self._status.release = self._judge.release.name
        log.info("judging with release %s", self._judge.release.name)

    async def close(self) -> None:
        if self._published is not None:
            await self._published.close()
            await self._publisher.stop()
            await self._judge.close()

    def aside(self) -> SetAside:
        return self._aside

    async def handle(self, record: Record, pause: Pause) -> None:
        if self._requests is None or self._published is None:
            raise RuntimeError("a record came before the worker was open")
        await self._requests.handle(record, pause)
        metrics.redis_available.set(self._published.available)


async def _find_judge(settings: Settings, status: WorkerStatus) -> Mapping[str, str]:
    """The parameters of the release to ask. One that Triton has not loaded is waited for, visibly: the
    controller loads it, or somebody does.

    Raises:
        JudgeUnavailable, ConfigurationError: no Triton, or no judge of ours.
    """
    pause = 0.5
    while True:
        try:
            judge = await TritonJudge.connect(
                settings.triton.grpc,
                settings.triton.release,
                deadline_s=settings.judging.deadline_s,
            )
        except ReleaseNotLoaded as exc:
            status.release = settings.triton.release
            status.paused(f"{exc.code}: {exc}")
            await asyncio.sleep(pause)
            pause = min(5.0, pause * 2)
            continue
        await judge.close()
        template(judge.release.template_id)
        return judge.parameters


def main(settings: Settings, slot: int, ready: Ready = nobody_waits) -> int:
    """Check everything, then run until told to stop. Returns the exit code.

    Raises:
        JudgestreamError: something is missing; the message says what, and the mend.
    """
    status = WorkerStatus(kind="judging", slot=slot, group=settings.judging.group)
    with on_board(settings.redis, status):
        return _run(settings, slot, status, ready)


def _run(settings: Settings, slot: int, status: WorkerStatus, ready: Ready) -> int:
    output = check_kafka(
        settings.kafka, group=settings.judging.group, topics=(VERDICTS, REQUESTS, DEAD_LETTERS)
    )
    parameters = asyncio.run(_find_judge(settings, status))
    place_group(
        settings.kafka,
        group=settings.judging.group,
        topic=REQUESTS,
        start=settings.judging.start,
        judge=paid(parameters),
        accepted=settings.judging.accept_backlog,
    )
    faust_app.use_uvloop()
    worker = _Worker(settings, slot, status, output=output)
    movement = Movement()
    app = faust_app.build(
        settings=settings,
        group=settings.judging.group,
        slot=slot,
        topic=REQUESTS,
        inflight=settings.judging.inflight,
        outstanding=settings.judging.outstanding,
        handle=worker.handle,
        opening=worker.open,
        closing=worker.close,
        movement=movement,
        status=status,
        aside=worker.aside,
        ready=ready,
    )
    return faust_app.run(
        app, settings=settings, group=settings.judging.group, movement=movement, status=status
    )
