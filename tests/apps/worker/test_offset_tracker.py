"""The prefix window: what is acknowledged, when, and what is not."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest

from judgestream.apps.worker.offset_tracker import Abandoned, Window


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
    """A window with a handler whose records finish when the test says so."""

    inflight: int = 8
    outstanding: int = 16
    acked: list[int] = field(default_factory=list)
    forgotten: list[int] = field(default_factory=list)
    crashes: list[BaseException] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.gates: dict[int, asyncio.Future[Any]] = {}
        self.window = Window(
            inflight=self.inflight,
            outstanding=self.outstanding,
            handle=self._handle,
            crash=self._crash,
            forget=lambda message: self.forgotten.append(message.offset),
        )

    async def _handle(self, event: Event, window: Window) -> None:
        gate: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.gates[event.message.offset] = gate
        if await gate == "wait":
            await window.pause(60)

    async def _crash(self, exc: BaseException) -> None:
        self.crashes.append(exc)

    async def take(self, *offsets: int, **message: Any) -> None:
        for offset in offsets:
            await self.window.submit(Event(Message(offset, **message), self.acked))
        await settle()

    async def finish(self, *offsets: int, result: str = "") -> None:
        for offset in offsets:
            self.gates[offset].set_result(result)
        await settle()


async def settle() -> None:
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
    assert bench.window.outstanding == bench.window.inflight == 0


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
    await settle()
    assert 2 not in bench.gates
    await bench.finish(1)
    await third
    assert 2 in bench.gates


async def test_submit_waits_while_a_stuck_head_keeps_too_many_unacknowledged() -> None:
    bench = Bench(inflight=8, outstanding=3)
    await bench.take(0, 1, 2)
    await bench.finish(1, 2)
    fourth = asyncio.create_task(bench.take(3))
    await settle()
    assert 3 not in bench.gates and bench.window.outstanding == 3
    await bench.finish(0)
    await fourth
    assert bench.acked == [0, 1, 2] and bench.window.outstanding == 1


async def test_draining_abandons_waiting_handlers_and_what_is_stuck_behind_them() -> None:
    bench = Bench()
    await bench.take(0, 1, 2, 3)
    await bench.finish(0)
    await bench.finish(2)
    await bench.finish(1, result="wait")  # backs off, for a minute
    bench.window.drain()
    await settle()
    await bench.finish(3)  # was inside a call: it may finish, but cannot be committed any more
    assert bench.acked == [0]
    assert sorted(bench.forgotten) == [1, 2, 3]
    bench.window.resume()
    assert bench.window.outstanding == 0
    await bench.take(1, generation_id=2)
    await bench.finish(1)
    assert bench.acked == [0, 1]


async def test_a_handler_that_ends_after_the_new_assignment_leaks_no_room() -> None:
    bench = Bench()
    await bench.take(0, 1)
    await bench.finish(0, result="wait")
    bench.window.drain()
    await settle()
    bench.window.resume()
    await bench.finish(1)
    assert bench.acked == []
    assert bench.window.outstanding == 0


async def test_nothing_new_is_started_while_draining() -> None:
    bench = Bench()
    bench.window.drain()
    await bench.take(5)
    assert bench.gates == {} and bench.forgotten == [5]


async def test_pause_ends_by_itself_and_raises_only_when_draining() -> None:
    bench = Bench()
    await bench.window.pause(0.001)
    bench.window.drain()
    with pytest.raises(Abandoned):
        await bench.window.pause(0.001)
