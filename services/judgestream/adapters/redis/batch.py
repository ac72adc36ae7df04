"""Redis commands of many tasks, sent in shared pipelines: under load there is no round trip per event."""

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.client import Pipeline
from redis.exceptions import NoScriptError, RedisError

from judgestream.adapters.redis.failures import unavailable
from judgestream.core.errors import StoreUnavailable

AWAY_S = 1.0
"""After a failure no command is sent for this long: a dead Redis must not cost a time-out per event."""

Command = Callable[[Pipeline], object]


class Batch:
    """Commands of one worker. Commands that are submitted while a pipeline is in flight share the next one.

    `scripts` are loaded again whenever Redis has lost them.
    """

    def __init__(self, redis: Redis, *, scripts: tuple[str, ...] = ()) -> None:
        self.redis = redis
        self._scripts = scripts
        self._waiting: list[tuple[Command, asyncio.Future[Any]]] = []
        self._flushing: asyncio.Task[None] | None = None
        self._away_until = 0.0

    @property
    def available(self) -> bool:
        """False for `AWAY_S` after Redis failed to answer."""
        return monotonic() >= self._away_until

    async def run(self, command: Command) -> Any:
        """Wait for the answer. Raises StoreUnavailable; at once while Redis is known to be unavailable."""
        return await self.submit(command)

    def submit(self, command: Command) -> "asyncio.Future[Any]":
        """A future of the answer. It need not be awaited."""
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        if not self.available:
            answer.set_exception(StoreUnavailable("Redis is unavailable"))
            answer.exception()  # marks it retrieved: no warning where it is not awaited
            return answer
        self._waiting.append((command, answer))
        if self._flushing is None:
            self._flushing = asyncio.create_task(self._flush())
        return answer

    async def close(self) -> None:
        if self._flushing is not None:
            await self._flushing
        await self.redis.aclose()

    async def _flush(self) -> None:
        while self._waiting:
            await asyncio.sleep(0)  # lets every task that is ready add its commands
            batch, self._waiting = self._waiting, []
            try:
                answers = await self._execute(batch)
            except (RedisError, OSError, TimeoutError) as exc:
                self._away_until = monotonic() + AWAY_S
                answers = [unavailable(exc)] * len(batch)
            for (_, future), answer in zip(batch, answers, strict=True):
                if future.done():
                    continue
                if isinstance(answer, Exception):
                    future.set_exception(answer)
                    future.exception()
                else:
                    future.set_result(answer)
        self._flushing = None

    async def _execute(self, batch: list[tuple[Command, "asyncio.Future[Any]"]]) -> list[Any]:
        for last in (False, True):
            pipeline = self.redis.pipeline(transaction=False)
            for command, _ in batch:
                command(pipeline)
            answers = await pipeline.execute(raise_on_error=False)
            if last or not any(isinstance(answer, NoScriptError) for answer in answers):
                break
            for script in self._scripts:  # a restarted server has lost them, and ran none
                await self.redis.script_load(script)
        return [
            unavailable(answer) if isinstance(answer, RedisError) else answer for answer in answers
        ]
