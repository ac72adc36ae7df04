"""The share of pairs that a release judges in both orders: all while its position bias is in doubt."""

import asyncio
import logging
from contextlib import suppress

from judgestream.adapters.redis.alarm_states import is_doubted
from judgestream.adapters.redis.batch import Batch
from judgestream.core.errors import StoreUnavailable

log = logging.getLogger(__name__)

LOOK_S = 5.0


class SwapRates:
    """Callable: release -> share, from 0 to 1.

    A release is in doubt until Redis says otherwise. Without an answer the last one holds.
    """

    def __init__(self, rate: float, batch: Batch | None, *, prefix: str) -> None:
        self._rate = rate
        self._batch = batch
        self._prefix = prefix
        self._doubted: dict[str, bool] = {}
        self._new = asyncio.Event()

    def __call__(self, release: str) -> float:
        if self._rate >= 1.0 or self._batch is None:
            return self._rate
        if release not in self._doubted:
            self._doubted[release] = True
            self._new.set()
        return 1.0 if self._doubted[release] else self._rate

    async def run(self) -> None:
        """Ask Redis at intervals, and at once about a new release, until cancelled."""
        while True:
            self._new.clear()
            await self.look()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._new.wait(), LOOK_S)

    async def look(self) -> None:
        """Ask Redis once about every release that was asked for."""
        if self._batch is None:
            return
        for release, before in list(self._doubted.items()):
            try:
                now = await is_doubted(self._batch, prefix=self._prefix, release=release)
            except StoreUnavailable:
                return
            self._doubted[release] = now
            if now and not before:
                log.warning(
                    "the position bias of %s raised an alarm: all pairs are judged in both orders",
                    release,
                )
