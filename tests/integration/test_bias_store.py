"""The counters of the bias windows in the real Valkey: what they hold equals a recount, whatever happened."""

import asyncio
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import permutations
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from judgestream.adapters.redis.alarm_states import AlarmStates, is_doubted
from judgestream.adapters.redis.batch import Batch
from judgestream.adapters.redis.bias_store import BiasStore, Counted, Pane, scripts
from judgestream.adapters.redis.client import async_client
from judgestream.core.types import Status, Verdict
from judgestream.evaluation.contribution import Contribution, contribution
from judgestream.evaluation.recount import ByPrompt, Recount
from judgestream.evaluation.time_windows import EPOCH, TimeWindow, window_of
from judgestream.local.valkey import ValkeyServer
from judgestream.settings import Redis
from tests.evaluation.windows import NOON, judged

pytestmark = pytest.mark.integration

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


def open_batch(server: ValkeyServer) -> Batch:
    client = async_client(Redis(url=server.url, timeout_s=2.0))
    assert client is not None
    return Batch(client, scripts=scripts())


def open_store(made: Batch, *, prefix: str = "t", generation: str = "") -> BiasStore:
    return BiasStore(
        made,
        prefix=prefix,
        lateness=timedelta(seconds=30),
        retention=HOUR,
        generation=generation,
    )


async def count(at: BiasStore, verdict: Verdict, *, partition: int | None = 0) -> Counted:
    one = contribution(verdict)
    return await at.count(one, window_of(one.time, MINUTE), partition=partition)


async def stored(
    batch: Batch, at: BiasStore, prefix: str
) -> dict[tuple[str, TimeWindow], ByPrompt]:
    """Every pane of the generation in use that has counts, from the keys of Redis."""
    used = await batch.redis.get(f"{prefix}:bias:generation")
    generation = used.decode() if isinstance(used, bytes) else "0"
    start = f"{prefix}:bias:{generation}:pane:"
    found: dict[tuple[str, TimeWindow], ByPrompt] = {}
    async for key in batch.redis.scan_iter(match=f"{start}*", count=1000):
        release, begin, end = key.decode().removeprefix(start).rsplit("|", 2)
        window = TimeWindow(
            start=EPOCH + timedelta(seconds=int(begin)),
            end=EPOCH + timedelta(seconds=int(end)),
        )
        counts = (await at.pane(Pane(release=release, window=window))).by_prompt
        if counts:
            found[release, window] = counts
    return found


def recount(verdicts: list[Verdict]) -> Recount:
    found = Recount()
    for verdict in verdicts:
        found.add(contribution(verdict))
    return found


@pytest.fixture(scope="module")
def valkey() -> Iterator[ValkeyServer]:
    with TemporaryDirectory() as folder, ValkeyServer(data_dir=Path(folder)) as server:
        yield server


FAILED = judged("r", status=Status.FAILED, minute=2, judged_minute=61)
UNSCORED = judged("r", status=Status.UNSCORED, judged_minute=62)
SCORED = judged("r", lean="first", judged_minute=63)
AGAIN = judged("r", lean="second", minute=1, judged_minute=64)
UNDECODED = judged("r", status=Status.FAILED, content="", judged_minute=65)


@pytest.mark.parametrize("size", [2, 3, 5])
async def test_the_final_verdict_counts_once_in_any_order(valkey: ValkeyServer, size: int) -> None:
    batch = open_batch(valkey)
    every = (FAILED, UNSCORED, SCORED, AGAIN, UNDECODED)
    for number, order in enumerate(permutations(every, size)):
        prefix = f"order{size}-{number}"
        at = open_store(batch, prefix=prefix)
        for verdict in (*order, *order):
            await count(at, verdict)
        assert await stored(batch, at, prefix) == recount(list(order)).windows(MINUTE), order
    await batch.close()


class Machine(RuleBasedStateMachine):
    """A topic of verdicts that workers deliver in any order, any number of times, through restarts, script
    losses, closings of windows and rebuilds."""

    server: ValkeyServer
    runs = 0

    @initialize()
    def start(self) -> None:
        type(self).runs += 1
        self.prefix = f"machine{self.runs}"
        self.loop = asyncio.new_event_loop()
        self.topic: list[Verdict] = []
        self.delivered: list[Verdict] = []
        self.workers = [self._worker() for _ in range(2)]

    def teardown(self) -> None:
        for batch, _ in self.workers:
            self.run(batch.close())
        self.loop.close()

    @rule(
        request=st.sampled_from(["r1", "r2", "r3"]),
        status=st.sampled_from(Status),
        minute=st.sampled_from([0, 0.5, 1, 90]),
        judged_minute=st.sampled_from([60, 61]),
        lean=st.sampled_from(["consistent", "first", "second"]),
        prompt=st.sampled_from(["p", "q"]),
        release=st.sampled_from(["judge|1", "judge-2"]),
        undecoded=st.booleans(),
    )
    def publish(self, undecoded: bool, status: Status, **values: Any) -> None:
        content = "" if undecoded and status is Status.FAILED else "c"
        self.topic.append(judged(status=status, content=content, **values))

    @precondition(lambda self: self.topic)
    @rule(data=st.data(), worker=st.integers(0, 1), some=st.integers(1, 4))
    def deliver(self, data: st.DataObject, worker: int, some: int) -> None:
        """New records or old ones again, several at the same time."""
        batch = [data.draw(st.sampled_from(self.topic)) for _ in range(some)]
        self.delivered += batch
        at = self.workers[worker][1]

        async def together() -> None:
            await asyncio.gather(*(count(at, one, partition=worker) for one in batch))

        self.run(together())

    @rule(worker=st.integers(0, 1))
    def restart(self, worker: int) -> None:
        self.run(self.workers[worker][0].close())
        self.workers[worker] = self._worker()

    @rule()
    def lose_the_script(self) -> None:
        self.run(self.workers[0][0].redis.script_flush())

    @rule(minutes=st.integers(0, 200))
    def publish_reports(self, minutes: int) -> None:
        """As the reporting worker does: the watermark moves, and windows are closed."""
        at = self.workers[0][1]
        self.run(at.advance(NOON + minutes * MINUTE))
        for pane, revision in self.run(at.open_panes()).items():
            assert self.run(at.pane(pane)).revision == revision
            self.run(at.close_pane(pane, revision))

    @rule()
    def rebuild(self) -> None:
        """From the topic, of which the workers have read a part."""
        batch, at = self.workers[0]
        fresh = self.run(at.new_generation())
        target = open_store(batch, prefix=self.prefix, generation=fresh)
        for one in self.topic:
            self.run(count(target, one, partition=None))
        self.run(at.drop_generation(self.run(at.use_generation(fresh))))
        self.delivered = list(self.topic)

    @invariant()
    def what_is_stored_equals_a_recount_of_what_was_delivered(self) -> None:
        batch, at = self.workers[1]
        found = self.run(stored(batch, at, self.prefix))
        assert found == recount(self.delivered).windows(MINUTE)

    def _worker(self) -> tuple[Batch, BiasStore]:
        batch = open_batch(self.server)
        return batch, open_store(batch, prefix=self.prefix)

    def run(self, doing: Any) -> Any:
        return self.loop.run_until_complete(doing)


def test_the_counts_equal_a_recount_after_any_history(valkey: ValkeyServer) -> None:
    Machine.server = valkey
    machine: Any = Machine.TestCase
    machine.settings = settings(
        max_examples=60,
        stateful_step_count=30,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    machine("runTest").runTest()
    assert Machine.runs >= 60, "the invariant was checked in every one"


async def test_a_change_of_any_age_reopens_its_window_with_a_higher_revision(
    valkey: ValkeyServer,
) -> None:
    batch = open_batch(valkey)
    at = open_store(batch, prefix="reopen")
    await count(at, judged("r1"))
    ((pane, first),) = (await at.open_panes()).items()
    await at.close_pane(pane, first - 1)
    assert await at.open_panes() == {pane: first}, "it has grown since"
    await at.close_pane(pane, first)
    assert await at.open_panes() == {}
    await at.advance(datetime.now(UTC))
    assert await count(at, judged("r2")) is Counted.LATE
    ((again, second),) = (await at.open_panes()).items()
    found = await at.pane(pane)
    assert (again, found.late, found.revision) == (pane, 1, second) and second > first
    assert sum(counts["n"] for counts in found.by_prompt.values()) == 2
    await batch.close()


async def test_no_clock_but_redis_own_moves_the_watermark(valkey: ValkeyServer) -> None:
    batch = open_batch(valkey)
    at = open_store(batch, prefix="clock")
    ahead = (datetime.now(UTC) - NOON) / MINUTE + 1.4
    far = judged("far", minute=ahead, judged_minute=ahead)
    assert await count(at, far, partition=3) is Counted.FRESH, "it is counted in its own window"
    progress = await at.progress()
    assert progress.reached[3] <= progress.now and progress.seen[3] <= progress.now
    assert await at.advance(NOON + timedelta(days=10_000)) <= datetime.now(UTC) + MINUTE / 60
    # a watermark that somebody's clock has moved on by days is taken back
    await batch.redis.set("clock:bias:watermark", int((time.time() + 3 * 86_400) * 1000))
    assert await at.advance(NOON) <= datetime.now(UTC) + MINUTE / 60
    await batch.close()


async def test_the_newest_report_is_that_of_the_newest_window_that_has_begun(
    valkey: ValkeyServer,
) -> None:
    batch = open_batch(valkey)
    at = open_store(batch, prefix="newest")
    window, later = window_of(NOON, MINUTE), window_of(NOON + HOUR, MINUTE)
    assert await at.keep_report("j", window, b"first")
    assert await at.keep_report("j", later, b"newest")
    assert not await at.keep_report("j", window, b"a late correction")
    future = window_of(datetime.now(UTC) + HOUR, MINUTE)
    assert not await at.keep_report("j", future, b"a clock that is ahead")
    assert await batch.redis.get("newest:bias:report:j") == b"newest"
    assert await at.keep_report("j", later, b"newest, corrected")
    await batch.close()


async def test_judging_workers_learn_of_an_alarm_on_position_bias(valkey: ValkeyServer) -> None:
    batch = open_batch(valkey)
    states = AlarmStates(batch, prefix="doubt", retention=HOUR)
    assert await states.state("judge|1") == ""
    for doubted in (True, True, False):
        await states.keep("judge|1", "{}", doubted=doubted)
        assert await is_doubted(batch, prefix="doubt", release="judge|1") is doubted
    assert await states.state("judge|1") == "{}"
    assert not await is_doubted(batch, prefix="doubt", release="judge-2")
    await batch.close()


async def test_what_was_kept_is_bounded_by_the_time_since_its_arrival(valkey: ValkeyServer) -> None:
    batch = open_batch(valkey)
    at = open_store(batch, prefix="kept")
    await count(at, judged("r1", minute=-60 * 24 * 365))
    left = [await batch.redis.pttl(key) async for key in batch.redis.scan_iter(match="kept:*:0:*")]
    assert len(left) == 3 and all(0 < ms <= HOUR / timedelta(milliseconds=1) for ms in left)
    await batch.close()


def test_a_contribution_with_odd_names_is_stored_as_it_is(valkey: ValkeyServer) -> None:
    odd = judged("r\n|*1 2", release="a|1|2 \nb*")

    async def both() -> tuple[Contribution, object]:
        batch = open_batch(valkey)
        at = open_store(batch, prefix="odd*")
        await count(at, odd)
        found = await stored(batch, at, "odd*")
        await batch.close()
        return contribution(odd), found

    _, found = asyncio.run(both())
    assert found == recount([odd]).windows(MINUTE)
