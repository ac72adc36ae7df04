"""Tasks run in turns, the newest first, and no more of them than the limit."""

import threading
from collections.abc import Iterator

import pytest

from judgestream.backends.round_robin import RoundRobin

SOON = 10.0


def steps(name: str, count: int, journal: list[str], gate: threading.Event) -> Iterator[None]:
    assert gate.wait(SOON), "the gate did not open"
    for number in range(count):
        journal.append(f"{name}{number}")
        yield


def test_a_new_task_does_not_wait_for_the_end_of_an_old_one() -> None:
    journal: list[str] = []
    gate = threading.Event()
    batches = RoundRobin(limit=3, failed=lambda error: None)
    batches.add(steps("a", 3, journal, gate))
    batches.add(steps("b", 2, journal, gate))
    gate.set()
    assert batches.close(SOON)
    assert sorted(journal) == ["a0", "a1", "a2", "b0", "b1"]
    assert journal.index("b1") < journal.index("a2")


def test_a_task_beyond_the_limit_waits() -> None:
    journal: list[str] = []
    gate = threading.Event()
    batches = RoundRobin(limit=1, failed=lambda error: None)
    batches.add(steps("a", 1, journal, gate))
    second = threading.Thread(target=lambda: batches.add(steps("b", 1, journal, gate)))
    second.start()
    second.join(0.2)
    assert second.is_alive(), "the limit was reached"
    gate.set()
    second.join(SOON)
    assert batches.close(SOON)
    assert journal == ["a0", "b0"]


def test_a_failure_ends_its_own_task_and_is_reported() -> None:
    journal: list[str] = []
    told: list[Exception] = []
    looks: list[int] = []
    gate = threading.Event()
    gate.set()

    def fails() -> Iterator[None]:
        yield
        raise ValueError("no")

    batches = RoundRobin(limit=2, failed=told.append, between=lambda: looks.append(1))
    batches.add(fails())
    batches.add(steps("a", 2, journal, gate))
    assert batches.close(SOON)
    assert journal == ["a0", "a1"]
    assert [str(error) for error in told] == ["no"]
    assert len(looks) == 5  # two steps and an end; a step and a failure
    with pytest.raises(RuntimeError, match="no more"):
        batches.add(steps("b", 1, journal, gate))
