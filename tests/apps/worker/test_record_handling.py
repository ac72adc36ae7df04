"""One record in the Faust shell: handled, set aside as a dead letter, or left to be delivered again."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from judgestream.adapters.kafka.faults import Fault
from judgestream.adapters.kafka.unreadable import Unreadable, mark
from judgestream.apps.worker.offset_tracker import Abandoned
from judgestream.apps.worker.record_handling import RecordHandling
from judgestream.apps.worker.setting_aside import Pause, SetAside
from judgestream.apps.worker.status import WorkerStatus
from judgestream.apps.worker.watchdog import Activity
from judgestream.contracts.events import Header
from judgestream.contracts.records import Record
from judgestream.v1.judging_pb2 import DeadLetter


@dataclass
class Message:
    """As Faust hands it over: seconds, and headers as a mapping or pairs."""

    offset: int = 7
    topic: str = "judge.requests.v1"
    partition: int = 3
    tp: tuple[str, int] = ("judge.requests.v1", 3)
    timestamp: float | None = 1.5
    key: bytes | None = b"k"
    value: bytes | None = b"v"
    headers: Any = None


@dataclass
class Event:
    message: Message


@dataclass
class FakeTracker:
    """A tracker whose pauses end at once, or raise Abandoned where the partitions are revoked."""

    revoked: bool = False
    inflight: int = 4
    outstanding: int = 9
    pauses: list[float] = field(default_factory=list)

    async def pause(self, seconds: float) -> None:
        if self.revoked:
            raise Abandoned
        self.pauses.append(seconds)


@dataclass
class Bench:
    """`handle` raises `error`, after a pause of `wait_s`."""

    error: Exception | None = None
    wait_s: float = 0.0
    tracker: FakeTracker = field(default_factory=FakeTracker)
    status: WorkerStatus = field(default_factory=lambda: WorkerStatus(kind="judging", slot=0))
    activity: Activity = field(default_factory=Activity)
    handled: list[Record] = field(default_factory=list)
    letters: list[DeadLetter] = field(default_factory=list)

    def __post_init__(self) -> None:
        aside = SetAside(self, group="g", status=self.status)
        self.handling = RecordHandling(
            self._handle, aside=aside, activity=self.activity, status=self.status
        )

    async def _handle(self, record: Record, pause: Pause) -> None:
        if self.wait_s:
            await pause(self.wait_s)
        if self.error is not None:
            raise self.error
        self.handled.append(record)

    async def publish(
        self, topic: str, *, key: bytes | None, value: bytes, headers: Sequence[Header]
    ) -> None:
        self.letters.append(DeadLetter.FromString(value))

    def take(self, message: Message | None = None) -> None:
        event = Event(message or Message())
        asyncio.run(self.handling(event, self.tracker))  # type: ignore[arg-type]


def test_a_record_is_handled_with_its_position_time_and_headers() -> None:
    bench = Bench()
    bench.take(Message(headers={"content-type": b"x"}))
    bench.take(Message(headers=[("a", b"1"), ("a", None)], timestamp=None))
    first, second = bench.handled
    assert (first.place, first.key, first.value) == ("judge.requests.v1[3]@7", b"k", b"v")
    assert first.time is not None and first.time.timestamp() == 1.5
    assert first.headers == (("content-type", b"x"),)
    assert second.headers == (("a", b"1"), ("a", None)) and second.time is None
    assert bench.letters == []


def test_every_record_and_every_pause_is_activity() -> None:
    bench = Bench(wait_s=2.0)
    bench.take()
    assert bench.tracker.pauses == [2.0]
    assert bench.activity.events == 2


def test_an_unexpected_error_sets_the_record_aside_and_the_next_one_is_taken() -> None:
    bench = Bench(error=KeyError("x"))
    bench.take()
    bench.error = None
    bench.take(Message(offset=8))
    (letter,) = bench.letters
    assert (letter.offset, letter.error_class) == (7, "internal_error")
    assert letter.error_message == "KeyError: 'x'" and letter.value == b"v"
    assert [record.offset for record in bench.handled] == [8]


def test_unexpected_errors_in_a_row_slow_the_worker_down() -> None:
    bench = Bench(error=KeyError("x"))
    for offset in range(5):
        bench.take(Message(offset=offset))
    assert bench.tracker.pauses == [2.0, 4.0] and bench.status.state == "waiting"
    bench.error = None
    bench.take()
    assert bench.status.state == "working"


@pytest.mark.parametrize("error", [None, RuntimeError("the producer is closed")])
def test_a_record_of_a_revoked_partition_is_left_for_its_next_owner(
    error: Exception | None,
) -> None:
    bench = Bench(error=error, wait_s=0.0 if error else 1.0, tracker=FakeTracker(revoked=True))
    with pytest.raises(Abandoned):
        bench.take()
    assert bench.handled == [] and bench.letters == []


def test_a_record_that_is_skipped_by_hand_is_set_aside_and_reported_once() -> None:
    bench = Bench()
    bench.status.skips = frozenset({("judge.requests.v1", 3, 7)})
    bench.take(Message(offset=7))
    bench.take(Message(offset=8))
    (letter,) = bench.letters
    assert (letter.offset, letter.error_class) == (7, "skipped_by_hand")
    assert list(bench.status.skipped) == [("judge.requests.v1", 3, 7)]
    assert [record.offset for record in bench.handled] == [8]


def test_damaged_bytes_are_set_aside_at_their_first_offset() -> None:
    damage = Unreadable(first_offset=4, last_offset=7, fault=Fault.BAD_CHECKSUM, detail="wrong")
    raw = mark(damage, b"bytes")
    bench = Bench()
    bench.take(
        Message(offset=7, value=raw.value, headers=[(k.decode(), v) for k, v in raw.headers])
    )
    (letter,) = bench.letters
    assert (letter.offset, letter.error_class, letter.value) == (4, "unreadable_batch", b"bytes")
    assert "offsets 4 to 7" in letter.error_message and bench.handled == []
