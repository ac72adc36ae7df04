"""Parts that end are restarted with growing pauses, without blocking the supervisor."""

import time
from collections.abc import Callable
from pathlib import Path

from judgestream.apps.machine.supervision import Part, Supervised
from judgestream.local.supervisor_file import PartState


class Toy:
    """A part that fails its first `failures` starts."""

    def __init__(self, *, failures: int = 0, start_s: float = 0.0) -> None:
        self.dead = False
        self.starts = 0
        self.failures = failures
        self.start_s = start_s

    def start(self) -> None:
        self.starts += 1
        time.sleep(self.start_s)
        if self.starts <= self.failures:
            raise OSError(28, "No space left on device")
        self.dead = False

    def check(self) -> None:
        if self.dead:
            raise RuntimeError("it ended unexpectedly\nLast lines: disk full")

    def supervised(self) -> Supervised:
        part = Part(
            name="toy",
            worker=True,
            log_path=Path("toy.log"),
            start=self.start,
            check=self.check,
            pid=lambda: None if self.dead else 7,
        )
        return Supervised(part, first_pause_s=0.02, longest_pause_s=0.1)


def look_until(supervised: Supervised, condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, f"still {supervised.state}"
        supervised.look()
        time.sleep(0.005)


def test_a_part_that_runs_is_left_alone() -> None:
    supervised = Toy().supervised()
    assert not supervised.look()
    assert supervised.report().state is PartState.RUNNING
    assert supervised.report().pid == 7


def test_a_dead_part_is_reported_with_its_reason_and_restarted() -> None:
    toy = Toy()
    supervised = toy.supervised()
    toy.dead = True
    assert supervised.look()
    report = supervised.report()
    assert (report.state, report.pid) == (PartState.RESTARTING, None)
    assert "disk full" in report.error and report.restart_at is not None
    look_until(supervised, lambda: supervised.state is PartState.RUNNING)
    assert (toy.starts, supervised.restarts) == (1, 1)
    assert supervised.report().pid == 7


def test_a_start_that_fails_is_tried_again_until_it_works() -> None:
    toy = Toy(failures=3)
    supervised = toy.supervised()
    toy.dead = True
    look_until(supervised, lambda: "No space left" in supervised.error)
    look_until(supervised, lambda: supervised.state is PartState.RUNNING)
    assert (toy.starts, supervised.restarts) == (4, 1)


def test_pauses_grow_and_have_a_limit() -> None:
    toy = Toy(failures=100)
    supervised = toy.supervised()
    toy.dead = True
    pauses: list[float] = []
    for _ in range(5):
        look_until(supervised, lambda: supervised.state is PartState.RESTARTING)
        at = supervised.report().restart_at
        assert at is not None
        pauses.append(at - time.time())
        look_until(supervised, lambda: supervised.state is not PartState.RESTARTING)
    assert pauses[0] < 0.03 < pauses[2]
    assert pauses[4] <= 0.1


def test_a_slow_start_does_not_block_a_look() -> None:
    toy = Toy(start_s=0.5)
    supervised = toy.supervised()
    supervised.restart()
    begin = time.monotonic()
    assert not supervised.look()
    assert time.monotonic() - begin < 0.3
    assert supervised.report().state is PartState.STARTING
    look_until(supervised, lambda: supervised.state is PartState.RUNNING)
    supervised.close()
