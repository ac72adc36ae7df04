"""Work takes turns, the newest first, and no more of it than may be."""

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


def test_a_new_piece_does_not_wait_for_the_end_of_an_old_one() -> None:
    journal: list[str] = []
    gate = threading.Event()
    turns = RoundRobin(limit=3, failed=lambda error: None)
    turns.add(steps("a", 3, journal, gate))
    turns.add(steps("b", 2, journal, gate))
    gate.set()
    assert turns.close(SOON)
    assert sorted(journal) == ["a0", "a1", "a2", "b0", "b1"]
    assert journal.index("b1") < journal.index("a2")


def test_one_piece_too_many_waits_for_a_place() -> None:
    journal: list[str] = []
    gate = threading.Event()
    turns = RoundRobin(limit=1, failed=lambda error: None)
    turns.add(steps("a", 1, journal, gate))
    second = threading.Thread(target=lambda: turns.add(steps("b", 1, journal, gate)))
    second.start()
    second.join(0.2)
    assert second.is_alive(), "there was no place"
    gate.set()
    second.join(SOON)
    assert turns.close(SOON)
    assert journal == ["a0", "b0"]


def test_what_fails_ends_alone_and_is_told() -> None:
    journal: list[str] = []
    told: list[Exception] = []
    looks: list[int] = []
    gate = threading.Event()
    gate.set()

    def fails() -> Iterator[None]:
        yield
        raise ValueError("no")

    turns = RoundRobin(limit=2, failed=told.append, between=lambda: looks.append(1))
    turns.add(fails())
    turns.add(steps("a", 2, journal, gate))
    assert turns.close(SOON)
    assert journal == ["a0", "a1"]
    assert [str(error) for error in told] == ["no"]
    assert len(looks) == 5  # two steps and an end; a step and a failure
    with pytest.raises(RuntimeError, match="no more"):
        turns.add(steps("b", 1, journal, gate))
