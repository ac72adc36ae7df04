"""Judging by a release that is loaded but not in use: the worker's own classes ask it and publish nothing."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from time import monotonic
from typing import Any

from judgestream.adapters.images.fetching import ImageFetcher
from judgestream.adapters.redis.batch import Batch
from judgestream.adapters.redis.client import async_client
from judgestream.adapters.redis.published import Published
from judgestream.adapters.redis.spending import ADD, Spending
from judgestream.apps.judging.connecting import connected, requests_judge
from judgestream.apps.judging.one_judge import OneJudge
from judgestream.apps.judging.request import RequestJudge
from judgestream.apps.suites.by_topic import OnVerdict, Stalled
from judgestream.apps.suites.purse import Purse
from judgestream.apps.worker.status import WorkerStatus
from judgestream.contracts.codecs.verdicts import verdict_from_message
from judgestream.contracts.events import PROTOBUF, Header
from judgestream.contracts.published import request_record
from judgestream.contracts.records import Record
from judgestream.contracts.topics import VERDICTS
from judgestream.core.types import Request
from judgestream.settings import Settings
from judgestream.v1.judging_pb2 import Verdict as VerdictMessage

IN_FLIGHT = 32
"""Requests that are asked at one time; under a budget no more than these are paid beyond it."""

EVERY_ORDER = {"verdict_format": PROTOBUF, "swap_rate": 1.0, "second_order_below": 0.0}
"""Settings of judging: a benchmark asks both orders of every pair, whatever live requests get."""

Handle = Callable[[Record, Callable[[float], Awaitable[None]]], Coroutine[Any, Any, None]]


class _Caught:
    """A publisher that keeps verdicts instead of sending them. Dead letters have a failed verdict as well."""

    def __init__(self, on_verdict: OnVerdict, purse: Purse) -> None:
        self._on_verdict = on_verdict
        self._purse = purse
        self.heard = monotonic()

    async def publish(
        self, topic: str, *, key: bytes | None, value: bytes, headers: Sequence[Header]
    ) -> None:
        if topic != VERDICTS.name:
            return
        verdict = verdict_from_message(VerdictMessage.FromString(value))
        self.heard = monotonic()
        self._purse.pay(verdict.cost)
        self._on_verdict(verdict)


def judge(
    settings: Settings,
    release: str,
    requests: Sequence[Request],
    purse: Purse,
    *,
    on_verdict: OnVerdict,
    patience_s: float,
) -> int:
    """Ask the release about every request; arguments and result as of `Pipeline.judge`.

    Raises:
        Stalled: no verdict came for `patience_s`.
        JudgestreamError: the release is not loaded, or its budget cannot be counted.
    """
    of_release = settings.model_copy(
        update={
            "triton": settings.triton.model_copy(update={"release": release}),
            "judging": settings.judging.model_copy(update=EVERY_ORDER),
        }
    )
    return asyncio.run(_judged(of_release, requests, purse, on_verdict, patience_s))


async def _judged(
    settings: Settings,
    requests: Sequence[Request],
    purse: Purse,
    on_verdict: OnVerdict,
    patience_s: float,
) -> int:
    caught = _Caught(on_verdict, purse)
    left = list(reversed(requests))
    running: set[asyncio.Task[None]] = set()

    async def pause(seconds: float) -> None:
        await asyncio.sleep(seconds)

    async with AsyncExitStack() as stack:
        handle = await _handler(settings, caught, stack)
        try:
            while left or running:
                while left and len(running) < IN_FLIGHT and purse.allows(len(running)):
                    one = left.pop()
                    record = _record(one, len(left))
                    running.add(asyncio.create_task(handle(record, pause)))
                if not running:
                    return len(left)
                done, running = await asyncio.wait(
                    running, timeout=0.5, return_when=asyncio.FIRST_COMPLETED
                )
                for task in done:
                    task.result()
                if monotonic() - caught.heard > patience_s:
                    raise Stalled(len(left) + len(running), frozenset())
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
    return 0


async def _handler(settings: Settings, caught: _Caught, stack: AsyncExitStack) -> Handle:
    judges = await connected(settings, settings.triton.release, stack)
    redis = async_client(settings.redis)
    batch = None if redis is None else Batch(redis, scripts=(ADD,))
    spending = Spending(batch, prefix=settings.redis.prefix)
    stack.push_async_callback(spending.close)
    if batch is not None:
        stack.push_async_callback(batch.close)
    requests = RequestJudge(
        judges=OneJudge(
            requests_judge(judges, settings, spending, WorkerStatus(kind="judging", slot=0))
        ),
        publisher=caught,
        # nothing is published, so nothing was published before
        published=Published(None, prefix="", ttl_s=1),
        settings=settings.judging,
        images=await stack.enter_async_context(ImageFetcher(settings.images)),
    )
    return requests.handle


def _record(request: Request, number: int) -> Record:
    made = request_record(request)
    return Record(
        topic=made.topic,
        partition=0,
        offset=number,
        time=request.requested_at,
        key=made.key,
        value=made.value,
        headers=tuple(made.headers),
    )
