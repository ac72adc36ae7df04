"""The marks of Triton servers to drain, as the fleet asks for them."""

import asyncio
from contextlib import AsyncExitStack

from judgestream.adapters.redis.drain_store import DrainStore
from judgestream.adapters.triton.fleet import Drains, no_drains
from judgestream.settings import Redis


def drains_of(settings: Redis, stack: AsyncExitStack) -> Drains:
    """Reads the marks in Redis. Without Redis no server drains."""
    store = DrainStore.connect(settings)
    if store is None:
        return no_drains
    stack.callback(store.close)

    async def draining() -> frozenset[str]:
        return await asyncio.to_thread(store.draining)

    return draining
