"""The watermark of the bias windows: how far the verdict topic has been read, over all workers."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from judgestream.adapters.redis.bias_store import BiasStore
from judgestream.evaluation.time_windows import PartitionProgress, watermark
from judgestream.settings import Bias

log = logging.getLogger(__name__)

Lags = Callable[[], Mapping[int, int]]
"""Partition -> records that the group has not committed, of every partition. Blocks; may raise."""

ASK_S = 30.0


class WatermarkKeeper:
    """Moves the watermark on, as far as every partition that is active has been read."""

    def __init__(self, store: BiasStore, lags: Lags, settings: Bias) -> None:
        self._store = store
        self._lags = lags
        self._idle = timedelta(seconds=settings.idle_s)
        self._asking: asyncio.Future[Mapping[int, int]] | None = None

    async def advance(self) -> datetime | None:
        """The watermark now; None while it is unknown, which holds every window open.

        Raises:
            StoreUnavailable: Redis does not answer.
        """
        try:
            # asked first: what arrives meanwhile makes its partition active
            lags = await self._ask()
        except Exception as exc:
            log.info("no window is closed while the lag of the verdicts is unknown: %r", exc)
            return None
        progress = await self._store.progress()
        reached = watermark(
            (
                PartitionProgress(
                    reached=progress.reached.get(partition),
                    quiet=progress.now - progress.seen[partition]
                    if partition in progress.seen
                    else None,
                    lag=lag,
                )
                for partition, lag in lags.items()
            ),
            idle=self._idle,
            now=progress.now,
        )
        return None if reached is None else await self._store.advance(reached)

    async def _ask(self) -> Mapping[int, int]:
        """The lags. One question at a time: a client of the broker serves one thread.

        Raises:
            TimeoutError: no answer yet. The same question is waited for next time.
        """
        if self._asking is None:
            self._asking = asyncio.ensure_future(asyncio.to_thread(self._lags))
        asking = self._asking
        done, _ = await asyncio.wait([asking], timeout=ASK_S)
        if not done:
            raise TimeoutError(f"the broker has not answered for {ASK_S:.0f} s")
        self._asking = None
        return asking.result()
