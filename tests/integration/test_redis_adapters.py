"""What workers share in Redis, against the real Valkey."""

import asyncio
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
from pydantic import SecretStr

from judgestream.adapters.redis.batch import Batch
from judgestream.adapters.redis.bias_store import BiasStore, scripts
from judgestream.adapters.redis.checking import check_redis
from judgestream.adapters.redis.client import async_client
from judgestream.adapters.redis.drain_store import DrainStore
from judgestream.adapters.redis.published import Published
from judgestream.adapters.redis.spending import ADD, Spending, SpendingView
from judgestream.adapters.redis.worker_board import WorkerBoard, WorkerEntry, WorkerState
from judgestream.apps.cli.stack.status import amounts
from judgestream.apps.machine.stack_status import Overview, look_at_spending
from judgestream.apps.worker.board_keeper import on_board
from judgestream.apps.worker.status import WorkerStatus
from judgestream.core.costs import Budget, Prices, Spent, Terms
from judgestream.core.errors import ConfigurationError, StoreUnavailable
from judgestream.core.fleet.report import ServerReport, ServerState
from judgestream.local.valkey import ValkeyServer
from judgestream.settings import Redis

pytestmark = pytest.mark.integration

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def batch(server: ValkeyServer) -> Batch:
    client = async_client(Redis(url=server.url, timeout_s=0.3))
    assert client is not None
    return Batch(client, scripts=scripts())


def store(made: Batch) -> BiasStore:
    return BiasStore(made, prefix="t", lateness=timedelta(seconds=30), retention=timedelta(hours=1))


async def test_a_published_verdict_is_known_until_redis_goes_and_then_again(tmp_path: Path) -> None:
    with ValkeyServer(data_dir=tmp_path) as server:
        published = Published(batch(server), prefix="t", ttl_s=60)
        assert await published.claim("v", "assigned") == ""
        assert await published.claim("v", "another") == "assigned", "the first note stays"
        published.remember("v", "scored t[0]@1")
        assert await published.claim("v", "x") == "scored t[0]@1"
        await published.write("v", "moved")
        assert await published.claim("v", "x") == "moved"
        server.stop()
        assert not await published.claim("v", "x"), "without Redis nothing is known"
        await published.write("v", "lost")  # nothing raises
        assert not published.available
        server.start()
        deadline = time.monotonic() + 10
        while await published.claim("v", "x") != "moved":
            assert time.monotonic() < deadline, "Redis came back with its data"
            await asyncio.sleep(0.2)
        await published.close()


def setting(k: int) -> Callable[[Any], Any]:
    return lambda pipeline: pipeline.set(f"k{k}", k)


async def test_many_commands_of_one_tick_each_get_their_own_answer(tmp_path: Path) -> None:
    with ValkeyServer(data_dir=tmp_path) as server:
        made = batch(server)
        answers = await asyncio.gather(
            *(made.run(setting(k)) for k in range(50)),
            made.run(lambda p: p.lpush("k0", "not a list")),
            return_exceptions=True,
        )
        assert answers[:50] == [True] * 50
        assert isinstance(answers[50], StoreUnavailable)
        await made.close()


def test_a_redis_that_would_lose_windows_is_refused_by_name(tmp_path: Path) -> None:
    with ValkeyServer(data_dir=tmp_path) as server:
        settings = Redis(url=server.url)
        assert check_redis(settings) == ""
        client = redis.Redis.from_url(server.url)
        client.config_set("maxmemory-policy", "volatile-lru")
        assert check_redis(settings) == "", "without a limit nothing is evicted"
        client.config_set("maxmemory", 1 << 30)
        with pytest.raises(ConfigurationError, match="noeviction"):
            check_redis(settings)
        client.close()
    with pytest.raises(StoreUnavailable, match="JUDGESTREAM_REDIS__URL"):
        check_redis(settings)


def entry(life: str, **more: object) -> WorkerEntry:
    now = datetime.now(UTC)
    values: dict[str, Any] = {
        "kind": "judging",
        "slot": 0,
        "host": "there",
        "pid": 1,
        "life": life,
        "started_at": now,
        "seen_at": now,
        "state": WorkerState.WORKING,
    }
    return WorkerEntry(**{**values, **more})


def test_the_board_keeps_one_worker_per_slot(tmp_path: Path) -> None:
    with ValkeyServer(data_dir=tmp_path) as server:
        board = WorkerBoard.connect(Redis(url=server.url))
        assert board is not None
        one, two = entry("a"), entry("b")
        assert board.write(one) is None
        assert board.write(two) == one, "the slot is taken"
        assert board.workers() == [one]
        assert board.write(entry("b", kind="bias")) is None
        board.take_down(two)
        assert board.write(one) is None, "nobody else takes it down"
        assert board.write(two, instead_of="a") is None
        board.take_down(two)
        assert [found.kind for found in board.workers()] == ["bias"]
        client = redis.Redis.from_url(server.url)
        client.set("judgestream:workers:judging-0", b'{"life": 7}')
        assert board.write(one) is None, "what is not an entry does not hold a slot"
        client.hset("judgestream:workers:bias-9", "a", "b")
        client.sadd("judgestream:workers", "bias-9", b"\xff")
        client.close()
        assert [found.name for found in board.workers()] == ["bias-0", "judging-0"]
        board.close()


def test_a_second_worker_of_a_slot_is_refused_and_a_dead_ones_slot_is_taken_at_once(
    tmp_path: Path,
) -> None:
    with ValkeyServer(data_dir=tmp_path) as server:
        settings = Redis(url=server.url)
        with (
            on_board(settings, WorkerStatus(kind="judging", slot=0)),
            subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as living,
        ):
            board = WorkerBoard.connect(settings)
            assert board is not None
            (ours,) = board.workers()
            there = replace(ours, life="other", pid=living.pid, slot=1)
            assert board.write(there) is None
            renewing = threading.Timer(0.3, lambda: board.write(replace(there, seen_at=NOON)))
            renewing.start()
            with (
                pytest.raises(ConfigurationError, match=f"process {living.pid} on"),
                on_board(settings, WorkerStatus(kind="judging", slot=1)),
            ):
                pass
            renewing.join()
            living.communicate(b"\n")
            started = time.monotonic()
            with on_board(settings, WorkerStatus(kind="judging", slot=1)):
                assert time.monotonic() - started < 1, "its process is gone: nothing to wait for"
                assert [one.slot for one in board.workers()] == [0, 1]
            board.close()


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


async def test_what_is_spent_is_shared_and_survives_an_outage_and_a_restart(tmp_path: Path) -> None:
    def connected(server: ValkeyServer) -> tuple[Batch, Spending]:
        client = async_client(Redis(url=server.url, timeout_s=0.3))
        assert client is not None
        made = Batch(client, scripts=(ADD,))
        return made, Spending(made, prefix="t")

    with ValkeyServer(data_dir=tmp_path) as server:
        (first, one), (second, other) = connected(server), connected(server)
        await asyncio.gather(*(part.add("j", 0.001) for part in (one, other) for _ in range(50)))
        assert await one.spent("j") == await other.spent("j") == Spent(today=0.1, total=0.1)
        view = SpendingView.connect(Redis(url=SecretStr(server.url), prefix="t"))
        assert view is not None and view.spent("j") == Spent(today=0.1, total=0.1)
        assert view.spent("never asked") == Spent()

        server.stop()
        assert await one.add("j", 0.5) == Spent(today=0.6, total=0.6), "its own is not forgotten"
        third, new = connected(server)
        with pytest.raises(StoreUnavailable):
            await new.spent("j")  # a worker that starts now does not know what was spent
        assert new.known("j") is None and one.known("j") == Spent(today=0.6, total=0.6)
        server.start()
        for spending in (one, new, other):
            await eventually(spending, Spent(today=0.6, total=0.6))

        redis.Redis.from_url(server.url).hset("t:spending:j", "day", "1")
        assert view.spent("j") == Spent(today=0.0, total=0.6), "yesterday's amount is not today's"
        assert await other.add("j", 0.25) == Spent(today=0.25, total=0.85)
        view.close()
        await one.close()
        for batch_ in (first, second, third):
            await batch_.close()


async def test_status_shows_what_is_spent_and_a_budget_that_is_reached(tmp_path: Path) -> None:
    terms = Terms(prices=Prices(per_million_in=1.0), budget=Budget(per_day=2.0, total=9.0))
    with ValkeyServer(data_dir=tmp_path) as server:
        settings = Redis(url=SecretStr(server.url))
        client = async_client(settings)
        assert client is not None
        made = Batch(client, scripts=(ADD,))
        await Spending(made, prefix=settings.prefix).add("openai-1", 2.5)
        await made.close()
        overview = Overview()
        look_at_spending(overview, settings, {"openai-1": terms, "openai-2": terms})
        shown = [f"{one.release}: {amounts(one)}" for one in overview.spending]
        assert shown == [
            "openai-1: $2.50 of $2.00 today, $2.50 of $9.00 total",
            "openai-2: $0.00 of $2.00 today, $0.00 of $9.00 total",
        ]
        (warning,) = overview.warnings
        assert warning.startswith("release openai-1 has spent its budget: $2.50 of $2.00 per day")
    overview = Overview()
    look_at_spending(overview, settings, {"openai-1": terms})
    assert [amounts(one) for one in overview.spending] == ["unknown"]
    assert "is unknown" in overview.warnings[0]


async def eventually(spending: Spending, wanted: Spent) -> None:
    deadline = time.monotonic() + 10
    while True:
        found: Spent | None = None
        with suppress(StoreUnavailable):
            found = await spending.spent("j")
        if found == wanted:
            return
        assert time.monotonic() < deadline, found
        await asyncio.sleep(0.1)


def test_others_read_the_drain_marks_and_the_servers_that_a_worker_asks(tmp_path: Path) -> None:
    with ValkeyServer(data_dir=tmp_path) as server:
        settings = Redis(url=SecretStr(server.url), prefix="t")
        one, two = DrainStore.connect(settings), DrainStore.connect(settings)
        board = WorkerBoard.connect(settings)
        assert one is not None and two is not None and board is not None
        one.drain("a:1")
        one.drain("a:1")
        assert two.draining() == {"a:1"}
        assert two.undrain("a:1") and not two.undrain("a:1")
        assert one.draining() == frozenset()

        status = WorkerStatus(kind="judging", slot=0)
        report = ServerReport(
            address="a:1", state=ServerState.DOWN, reason="refused", in_flight=2, releases={"r": ""}
        )
        status.servers = lambda: (report,)
        board.write(status.entry())
        assert [entry.servers for entry in board.workers()] == [(report,)]
        with redis.from_url(server.url) as client:
            client.hset("t:triton:draining", "\ufffd" * 10, b"\xff")
            client.hset("t:triton:draining", b"\xff", b"")
            key = "t:workers:judging-0"
            good = json.loads(client.get(key))
            for servers in ([{"address": "a:1"}], ["x"], 7):
                client.set(key, json.dumps({**good, "servers": servers}))
                assert board.workers() == [], "an entry that cannot be read is left out"
            newer = [{**good["servers"][0], "state": "newer"}]
            client.set(key, json.dumps({**good, "servers": newer}))
            assert [entry.servers for entry in board.workers()] == [()]
            client.set(key, json.dumps({k: v for k, v in good.items() if k != "servers"}))
            assert [entry.servers for entry in board.workers()] == [()]
            assert len(one.draining()) == 2
            client.delete("t:triton:draining")
            client.set("t:triton:draining", "not a hash")
            with pytest.raises(StoreUnavailable):
                one.draining()
