"""The watermark waits for every partition with lag, whichever worker reads it."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from judgestream.adapters.redis.bias_store import BiasStore, Progress
from judgestream.apps.bias.progress import WatermarkKeeper
from judgestream.core.errors import BrokerUnavailable
from judgestream.settings import Bias

NOW = datetime(2026, 1, 4, 12, tzinfo=UTC)
DAYS_AGO = NOW - timedelta(days=3)


class Store:
    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self.moved_to: list[datetime] = []

    async def progress(self) -> Progress:
        return self._progress

    async def advance(self, watermark: datetime) -> datetime:
        self.moved_to.append(watermark)
        return watermark


def advanced(lags: Mapping[int, int] | Exception, *, quiet_s: float = 3600) -> list[datetime]:
    """Partition 0 has been read up to now, partition 1 up to three days ago; neither delivers any more."""
    seen = NOW - timedelta(seconds=quiet_s)
    store = Store(Progress(now=NOW, reached={0: NOW, 1: DAYS_AGO}, seen={0: seen, 1: seen}))

    def ask() -> Mapping[int, int]:
        if isinstance(lags, Exception):
            raise lags
        return lags

    keeper = WatermarkKeeper(cast(BiasStore, cast(Any, store)), ask, Bias(idle_s=60))
    asyncio.run(keeper.advance())
    return store.moved_to


def test_an_idle_worker_does_not_close_the_windows_of_anothers_backlog() -> None:
    assert advanced({0: 0, 1: 10}) == [DAYS_AGO]


def test_a_stream_that_has_ended_closes_its_windows() -> None:
    assert advanced({0: 0, 1: 0}) == [NOW]
    assert advanced({0: 0, 1: 0}, quiet_s=59) == [DAYS_AGO]


def test_a_backlog_that_nobody_has_begun_holds_everything_open() -> None:
    assert advanced({0: 0, 1: 0, 2: 5}) == []


def test_nothing_is_closed_while_the_lag_is_unknown() -> None:
    assert advanced(BrokerUnavailable("away")) == []
