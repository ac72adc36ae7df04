"""The Python API for asyncio programs: the calls of `judgestream.client`, awaited.

    from judgestream import aio
    from judgestream.client import pair

    async with aio.Producer() as producer:
        await producer.submit(pair("Capital of France?", "Paris.", "London."))
    async for verdict in aio.read_verdicts(follow=True):
        print(verdict.request_id, verdict.winner or "tie")

Every object works in its own thread, so that the event loop never waits for a broker. The thread of a
cancelled call ends within about a second.
"""

import asyncio
import contextvars
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from typing import Any, Self, TypeVar

from judgestream import client
from judgestream.contracts.events import PROTOBUF, Header
from judgestream.core.types import Label, Request, Verdict
from judgestream.settings import Kafka

__all__ = ["Producer", "judge", "judge_all", "read_verdicts"]

T = TypeVar("T")

AHEAD = 256
"""Verdicts read ahead of the consumer, per `read_verdicts`."""


class Producer:
    """`client.Producer`, awaited. An async context manager that confirms everything at the end.

    Calls from several tasks are executed one at a time, in order.
    """

    def __init__(self, settings: Kafka | None = None, *, content_type: str = PROTOBUF) -> None:
        """Connects on entry. Arguments as for `client.Producer`."""
        self._make = partial(client.Producer, settings, content_type=content_type)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="judgestream-producer")
        self._producer: client.Producer | None = None

    async def submit(self, request: Request, *, trace: Sequence[Header] | None = None) -> None:
        """Send a request. Returns before it is confirmed. Arguments and errors as for
        `client.Producer.submit`.
        """
        await self._run(lambda: self._connected().submit(request, trace=trace))

    async def label(self, label: Label) -> None:
        """Send a label. Raises as `client.Producer.label` does."""
        await self._run(lambda: self._connected().label(label))

    async def flush(self) -> int:
        """Wait until everything is confirmed. Returns and raises as `client.Producer.flush` does."""
        return await self._run(lambda: self._connected().flush())

    async def __aenter__(self) -> Self:
        try:
            self._producer = await self._run(self._make)
        except BaseException:
            self._thread.shutdown(wait=False)
            raise
        return self

    async def __aexit__(self, *details: Any) -> None:
        try:
            await self._run(lambda: self._connected().__exit__(*details))
        finally:
            self._thread.shutdown(wait=False)

    def _connected(self) -> client.Producer:
        if self._producer is None:
            raise RuntimeError("the producer is not connected: use `async with Producer() as ...`")
        return self._producer

    async def _run(self, call: Callable[[], T]) -> T:
        # as asyncio.to_thread does: the running span is that of the caller
        context = contextvars.copy_context()
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, context.run, call)


async def read_verdicts(
    settings: Kafka | None = None,
    *,
    since: datetime | None = None,
    follow: bool = False,
    timeout_s: float | None = None,
) -> AsyncIterator[Verdict]:
    """Verdicts as published. Arguments, order and errors as for `client.read_verdicts`."""
    stop = threading.Event()
    room = threading.Semaphore(AHEAD)
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[Verdict | None] = asyncio.Queue()

    def put(verdict: Verdict | None) -> None:
        loop.call_soon_threadsafe(queue.put_nowait, verdict)

    def read() -> None:
        verdicts: Iterator[Verdict] = client.read_verdicts(
            settings, since=since, follow=follow, timeout_s=timeout_s, stopped=stop.is_set
        )
        try:
            for verdict in verdicts:
                while not room.acquire(timeout=0.5):
                    if stop.is_set():
                        return
                put(verdict)
        finally:
            put(None)

    thread = ThreadPoolExecutor(1, thread_name_prefix="judgestream-reader")
    reading = loop.run_in_executor(thread, read)
    try:
        while (verdict := await queue.get()) is not None:
            room.release()
            yield verdict
        await reading
    finally:
        stop.set()
        thread.shutdown(wait=False)


async def judge(
    request: Request,
    *,
    settings: Kafka | None = None,
    release: str = "",
    timeout_s: float = 60.0,
) -> Verdict:
    """Submit one request and wait for its verdict. Arguments and errors as for `client.judge`."""
    verdicts = await judge_all([request], settings=settings, release=release, timeout_s=timeout_s)
    return verdicts[0]


async def judge_all(
    requests: Sequence[Request],
    *,
    settings: Kafka | None = None,
    release: str = "",
    timeout_s: float = 60.0,
) -> list[Verdict]:
    """Submit requests and wait for their verdicts, in order, like `client.judge_all`."""
    stop = threading.Event()
    thread = ThreadPoolExecutor(1, thread_name_prefix="judgestream-judge")
    call = partial(
        client.judge_all,
        requests,
        settings=settings,
        release=release,
        timeout_s=timeout_s,
        stopped=stop.is_set,
    )
    try:
        context = contextvars.copy_context()
        return await asyncio.get_running_loop().run_in_executor(thread, context.run, call)
    finally:
        stop.set()
        thread.shutdown(wait=False)
