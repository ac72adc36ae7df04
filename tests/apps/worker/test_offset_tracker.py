"""The offset tracker: which records are acknowledged, when, and which are not."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from judgestream.apps.worker.offset_tracker import Abandoned, OffsetTracker


@dataclass
class Message:
    offset: int
    tp: tuple[str, int] = ("requests", 0)
    generation_id: int = 1


@dataclass
class Event:
    message: Message
    acked: list[int]

    def ack(self) -> None:
        self.acked.append(self.message.offset)


@dataclass
class Bench:
    """A tracker with a handler whose records finish when the test says so."""

    inflight: int = 8
    outstanding: int = 16
    acked: list[int] = field(default_factory=list)
    forgotten: list[int] = field(default_factory=list)
    crashes: list[BaseException] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.gates: dict[int, asyncio.Future[Any]] = {}
        self.tracker = OffsetTracker(
            inflight=self.inflight,
            outstanding=self.outstanding,
            handle=self._handle,
            crash=self._crash,
            forget=lambda message: self.forgotten.append(message.offset),
        )

    async def _handle(self, event: Event, tracker: OffsetTracker) -> None:
        gate: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.gates[event.message.offset] = gate
        if await gate == "wait":
            await tracker.pause(60)

    async def _crash(self, exc: BaseException) -> None:
        self.crashes.append(exc)

    async def take(self, *offsets: int, **message: Any) -> None:
        for offset in offsets:
            await self.tracker.submit(Event(Message(offset, **message), self.acked))
        await let_tasks_run()

    async def finish(self, *offsets: int, result: str = "") -> None:
        for offset in offsets:
            self.gates[offset].set_result(result)
        await let_tasks_run()


async def let_tasks_run() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_only_the_finished_prefix_is_acknowledged() -> None:
    bench = Bench()
    await bench.take(0, 1, 2, 3)
    await bench.finish(1, 3)
    assert bench.acked == []
    await bench.finish(0)
    assert bench.acked == [0, 1]
    await bench.finish(2)
    assert bench.acked == [0, 1, 2, 3]
    assert bench.tracker.outstanding == bench.tracker.inflight == 0


async def test_partitions_do_not_wait_for_each_other() -> None:
    bench = Bench()
    await bench.take(0, tp=("requests", 0))
    await bench.take(7, tp=("requests", 1))
    await bench.finish(7)
    assert bench.acked == [7]


async def test_a_raising_handler_crashes_the_worker_and_is_never_acknowledged() -> None:
    bench = Bench()
    await bench.take(0, 1)
    bench.gates[0].set_exception(ValueError("bug"))
    await bench.finish(1)
    assert [type(exc) for exc in bench.crashes] == [ValueError]
    assert bench.acked == []


async def test_submit_waits_while_too_many_are_in_flight() -> None:
    bench = Bench(inflight=2)
    await bench.take(0, 1)
    third = asyncio.create_task(bench.take(2))
    await let_tasks_run()
    assert 2 not in bench.gates
    await bench.finish(1)
    await third
    assert 2 in bench.gates


async def test_submit_waits_while_a_stuck_head_keeps_too_many_unacknowledged() -> None:
    bench = Bench(inflight=8, outstanding=3)
    await bench.take(0, 1, 2)
    await bench.finish(1, 2)
    fourth = asyncio.create_task(bench.take(3))
    await let_tasks_run()
    assert 3 not in bench.gates and bench.tracker.outstanding == 3
    await bench.finish(0)
    await fourth
    assert bench.acked == [0, 1, 2] and bench.tracker.outstanding == 1


async def test_a_revoke_abandons_waiting_handlers_and_finished_records_behind_them() -> None:
    bench = Bench()
    await bench.take(0, 1, 2, 3)
    await bench.finish(0)
    await bench.finish(2)
    await bench.finish(1, result="wait")  # backs off, for a minute
    bench.tracker.on_revoke()
    await let_tasks_run()
    await bench.finish(3)  # was inside a call: it may finish, but cannot be committed any more
    assert bench.acked == [0]
    assert sorted(bench.forgotten) == [1, 2, 3]
    bench.tracker.on_assign()
    assert bench.tracker.outstanding == 0
    await bench.take(1, generation_id=2)
    await bench.finish(1)
    assert bench.acked == [0, 1]


async def test_a_handler_that_ends_after_the_new_assignment_frees_its_place() -> None:
    bench = Bench()
    await bench.take(0, 1)
    await bench.finish(0, result="wait")
    bench.tracker.on_revoke()
    await let_tasks_run()
    bench.tracker.on_assign()
    await bench.finish(1)
    assert bench.acked == []
    assert bench.tracker.outstanding == 0


async def test_no_handler_is_started_after_a_revoke() -> None:
    bench = Bench()
    bench.tracker.on_revoke()
    await bench.take(5)
    assert bench.gates == {} and bench.forgotten == [5]


async def test_a_pause_raises_only_after_a_revoke() -> None:
    bench = Bench()
    await bench.tracker.pause(0.001)
    bench.tracker.on_revoke()
    with pytest.raises(Abandoned):
        await bench.tracker.pause(0.001)


class TrackerMachine(RuleBasedStateMachine):
    """Records of three partitions that finish, wait and fail in any order, through any rebalances."""

    @initialize()
    def start(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.generation = 0
        self.crashed = False
        self.taken: dict[tuple[int, int], list[int]] = {}
        self.running: dict[int, asyncio.Future[str]] = {}
        self.finished: set[int] = set()
        self.acked: list[int] = []
        self.forgotten: list[int] = []
        self.tracker = OffsetTracker(
            inflight=100,
            outstanding=100,
            handle=self._handle,
            crash=self._crash,
            forget=lambda message: self.forgotten.append(message.offset),
        )

    async def _handle(self, event: Event, tracker: OffsetTracker) -> None:
        offset = event.message.offset
        gate = self.running[offset] = self.loop.create_future()
        if await gate == "wait":
            await tracker.pause(3600)
        self.finished.add(offset)

    async def _crash(self, exc: BaseException) -> None:
        self.crashed = True

    def run(self, *, take: Event | None = None) -> None:
        async def one_step() -> None:
            if take is not None:
                await self.tracker.submit(take)
            await let_tasks_run()

        self.loop.run_until_complete(one_step())

    @precondition(lambda self: not self.crashed)
    @rule(partition=st.integers(0, 2))
    def take(self, partition: int) -> None:
        offset = sum(map(len, self.taken.values())) + len(self.forgotten_unseen())
        key = (self.generation, partition)
        message = Message(offset, tp=("requests", partition), generation_id=self.generation)
        if not self.tracker.revoked:
            self.taken.setdefault(key, []).append(offset)
        self.run(take=Event(message, self.acked))

    def forgotten_unseen(self) -> list[int]:
        """Offsets that were refused at `submit`."""
        known = {offset for queue in self.taken.values() for offset in queue}
        return [offset for offset in self.forgotten if offset not in known]

    @precondition(lambda self: self.open_gates())
    @rule(data=st.data(), result=st.sampled_from(["done", "done", "wait", "raise"]))
    def end(self, data: st.DataObject, result: str) -> None:
        gate = self.running[data.draw(st.sampled_from(self.open_gates()))]
        if result == "raise":
            gate.set_exception(ValueError("bug"))
        else:
            gate.set_result(result)
        self.run()

    def open_gates(self) -> list[int]:
        return [offset for offset, gate in self.running.items() if not gate.done()]

    @rule()
    def revoke(self) -> None:
        self.tracker.on_revoke()
        self.run()

    @rule()
    def assign(self) -> None:
        self.generation += 1
        self.tracker.on_assign()
        self.run()

    @invariant()
    def only_finished_prefixes_are_acknowledged(self) -> None:
        assert len(self.acked) == len(set(self.acked))
        assert set(self.acked) <= self.finished
        assert not set(self.acked) & set(self.forgotten)
        for queue in self.taken.values():
            acked = [offset for offset in self.acked if offset in queue]
            assert acked == queue[: len(acked)]

    @invariant()
    def nothing_finished_is_held_back_for_longer_than_its_prefix(self) -> None:
        for queue in self.taken.values():
            for offset in queue:
                if offset in self.acked:
                    continue
                assert offset not in self.finished
                break

    @invariant()
    def every_record_is_running_or_waiting_or_accounted_for(self) -> None:
        waiting = len(self.acked) + len(self.forgotten) - len(self.forgotten_unseen())
        assert 0 <= self.tracker.outstanding <= 100
        assert self.tracker.outstanding >= sum(map(len, self.taken.values())) - waiting

    def teardown(self) -> None:
        """A revoke and an assignment leave nothing behind once every handler has ended."""
        self.tracker.on_revoke()
        for offset in self.open_gates():
            self.running[offset].set_result("done")
        self.run()
        self.tracker.on_assign()
        self.run()
        assert self.tracker.outstanding == self.tracker.inflight == 0
        taken = {offset for queue in self.taken.values() for offset in queue}
        assert taken <= set(self.acked) | set(self.forgotten)
        self.loop.close()


TestTracker = TrackerMachine.TestCase
TestTracker.settings = settings(stateful_step_count=25, deadline=None)
