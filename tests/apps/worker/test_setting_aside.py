"""Dead-lettering never fails because of the record."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from judgestream.apps.worker.offset_tracker import Abandoned
from judgestream.apps.worker.record_handling import FailureStreak
from judgestream.apps.worker.setting_aside import SetAside
from judgestream.apps.worker.status import WorkerStatus
from judgestream.contracts.events import Header
from judgestream.contracts.records import Record
from judgestream.core.errors import BrokerUnavailable, InternalError, OversizeRecord
from judgestream.v1.judging_pb2 import DeadLetter

RECORD = Record(
    topic="judge.requests.v1", partition=3, offset=7, time=None, key=b"k", value=b"v" * 100
)


@dataclass
class FakeTopic:
    failures: list[Exception] = field(default_factory=list)
    letters: list[DeadLetter] = field(default_factory=list)

    async def publish(
        self, topic: str, *, key: bytes | None, value: bytes, headers: Sequence[Header]
    ) -> None:
        if self.failures:
            raise self.failures.pop(0)
        self.letters.append(DeadLetter.FromString(value))


def aside(*failures: Exception) -> tuple[FakeTopic, WorkerStatus, list[float]]:
    topic, pauses = FakeTopic(list(failures)), []
    status = WorkerStatus(kind="judging", slot=0)

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    asyncio.run(SetAside(topic, group="g", status=status)(RECORD, InternalError("odd"), pause))
    return topic, status, pauses


@pytest.mark.parametrize(
    ("failures", "value"),
    [
        ((), RECORD.value),
        ((BrokerUnavailable("away"), BrokerUnavailable("away")), RECORD.value),
        ((OversizeRecord("too many bytes"),), b""),
        ((ValueError("a header that no client encodes"),), b""),
        ((BrokerUnavailable("away"), OversizeRecord("x"), BrokerUnavailable("away")), b""),
    ],
)
def test_every_record_gets_a_dead_letter_with_its_position(
    failures: tuple[Exception, ...], value: bytes
) -> None:
    topic, status, pauses = aside(*failures)
    (letter,) = topic.letters
    assert (letter.topic, letter.partition, letter.offset) == ("judge.requests.v1", 3, 7)
    assert (letter.value, letter.error_message) == (value, "odd")
    assert len(pauses) == sum(isinstance(one, BrokerUnavailable) for one in failures)
    assert status.entry().counts == {"set_aside": 1}


def test_a_stopping_worker_leaves_the_record_to_be_delivered_again() -> None:
    async def pause(seconds: float) -> None:
        raise Abandoned

    topic = FakeTopic([BrokerUnavailable("away")])
    status = WorkerStatus(kind="judging", slot=0)
    with pytest.raises(Abandoned):
        asyncio.run(SetAside(topic, group="g", status=status)(RECORD, InternalError("x"), pause))
    assert topic.letters == [] and status.entry().counts == {}


def test_unexpected_errors_in_a_row_are_slowed_down_and_shown() -> None:
    status, pauses = WorkerStatus(kind="judging", slot=0), []
    streak = FailureStreak(status)

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    async def go() -> None:
        for _ in range(9):
            await streak.add(InternalError("KeyError: 'x'"), pause)

    asyncio.run(go())
    assert pauses == [2, 4, 8, 16, 30, 30]
    assert status.state == "waiting" and "KeyError" in status.reason
    streak.end()
    assert status.state == "working"


def test_pauses_stay_bounded_however_long_the_errors_last() -> None:
    pauses: list[float] = []
    streak = FailureStreak(WorkerStatus(kind="judging", slot=0))

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    async def go() -> None:
        for _ in range(1_100):
            await streak.add(InternalError("KeyError: 'x'"), pause)

    asyncio.run(go())
    assert len(pauses) == 1_097 and set(pauses[4:]) == {30}
