"""What workers share in Redis, against the real Valkey."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from judgestream.adapters.redis.batch import Batch, connect
from judgestream.adapters.redis.bias_store import BiasStore, Counted, scripts
from judgestream.adapters.redis.published import Published
from judgestream.core.bias.counts import BiasCounts
from judgestream.core.bias.windows import window_of
from judgestream.core.errors import StoreUnavailable
from judgestream.local.valkey import ValkeyServer
from judgestream.settings import Redis

pytestmark = pytest.mark.integration

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
WINDOW = window_of(NOON, timedelta(minutes=1))
COUNTS = BiasCounts(n=1, scored=1, tied=1)


def batch(server: ValkeyServer) -> Batch:
    client = connect(Redis(url=server.url, timeout_s=0.3))
    assert client is not None
    return Batch(client, scripts=scripts())


def store(made: Batch) -> BiasStore:
    return BiasStore(made, prefix="t", lateness=timedelta(seconds=30), retention=timedelta(hours=1))


async def count(at: BiasStore, key: str, *, window_s: int = 0, time_s: int = 0) -> Counted:
    return await at.count(
        verdict_key=key,
        release="j|1",
        window=window_of(NOON + timedelta(seconds=window_s), timedelta(minutes=1)),
        time_ms=int((NOON.timestamp() + time_s) * 1000),
        counts=COUNTS,
    )


async def test_a_published_verdict_is_known_until_redis_goes_and_then_again(tmp_path: Path) -> None:
    with ValkeyServer(data_dir=tmp_path) as server:
        published = Published(batch(server), prefix="t", ttl_s=60)
        assert await published.note("v") == ""
        published.remember("v", "scored t[0]@1")
        assert await published.note("v") == "scored t[0]@1"
        server.stop()
        assert not await published.note("v"), "without Redis nothing is known, and nothing raises"
        assert not published.available
        server.start()
        deadline = time.monotonic() + 10
        while not await published.note("v"):
            assert time.monotonic() < deadline, "Redis came back with its data"
            await asyncio.sleep(0.2)
        await published.close()


async def test_many_commands_of_one_tick_each_get_their_own_answer(tmp_path: Path) -> None:
    with ValkeyServer(data_dir=tmp_path) as server:
        made = batch(server)
        answers = await asyncio.gather(
            *(made.run(lambda p, k=k: p.set(f"k{k}", k)) for k in range(50)),
            made.run(lambda p: p.lpush("k0", "not a list")),
            return_exceptions=True,
        )
        assert answers[:50] == [True] * 50
        assert isinstance(answers[50], StoreUnavailable)
        await made.close()


async def test_a_verdict_counts_once_also_after_the_script_was_lost(tmp_path: Path) -> None:
    with ValkeyServer(data_dir=tmp_path) as server:
        made = batch(server)
        at = store(made)
        assert await count(at, "v1") is Counted.FRESH
        assert await count(at, "v1") is Counted.DUPLICATE
        await made.redis.script_flush()
        assert await count(at, "v1") is Counted.DUPLICATE
        assert await count(at, "v2") is Counted.FRESH
        (window,) = await at.open_windows()
        assert (window.release, window.window, window.late) == ("j|1", WINDOW, 0)
        assert window.counts == COUNTS + COUNTS
        await made.close()


async def test_late_verdicts_count_and_expired_ones_do_not(tmp_path: Path) -> None:
    with ValkeyServer(data_dir=tmp_path) as server:
        made = batch(server)
        at = store(made)
        await count(at, "v1")
        await count(
            at, "v2", window_s=120, time_s=95
        )  # the watermark is 35 s past the window's end
        assert await count(at, "v3") is Counted.FRESH
        first, _ = await at.open_windows()
        assert (first.counts.n, first.late) == (2, 1)
        await at.advance(int((NOON + timedelta(hours=2)).timestamp() * 1000))
        assert await count(at, "v4") is Counted.EXPIRED
        await made.close()


async def test_a_window_is_closed_unless_it_has_grown(tmp_path: Path) -> None:
    with ValkeyServer(data_dir=tmp_path) as server:
        made = batch(server)
        at = store(made)
        await count(at, "v1")
        (window,) = await at.open_windows()
        await count(at, "v2")
        await at.close_window(window)
        (window,) = await at.open_windows()
        await at.close_window(window)
        assert await at.open_windows() == []
        await count(at, "v3")
        (window,) = await at.open_windows()
        assert window.counts.n == 3
        await made.close()


async def test_one_worker_holds_the_lease(tmp_path: Path) -> None:
    with ValkeyServer(data_dir=tmp_path) as server:
        made = batch(server)
        at = store(made)
        assert await at.lease("a", 1)
        assert await at.lease("a", 1)
        assert not await at.lease("b", 1)
        await asyncio.sleep(1.2)
        assert await at.lease("b", 1)
        await made.close()
