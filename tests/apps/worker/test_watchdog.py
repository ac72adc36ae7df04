"""When the watchdog ends a worker, and when it must not. The clock is the test's."""

import pytest

from judgestream.apps.worker.watchdog import EXIT_STALLED, Movement, Watchdog


class Bench:
    def __init__(self) -> None:
        self.now = 0.0
        self.lag: int | Exception = 0
        self.ended: list[int] = []
        self.movement = Movement()
        self.watchdog = Watchdog(
            self.movement,
            self._measure,
            stall_s=60,
            startup_s=30,
            end=self.ended.append,
            clock=lambda: self.now,
        )

    def _measure(self, _: object) -> int:
        if isinstance(self.lag, Exception):
            raise self.lag
        return self.lag

    def look(self, after: float) -> None:
        self.now += after
        self.watchdog.look()


@pytest.fixture
def bench() -> Bench:
    made = Bench()
    made.movement.assigned = frozenset({("judge.requests.v1", 0)})
    return made


def test_lag_without_movement_ends_the_worker(bench: Bench) -> None:
    bench.lag = 5
    bench.look(30)
    bench.look(20)
    assert not bench.ended
    bench.look(20)
    assert bench.ended == [EXIT_STALLED]


def test_movement_keeps_it_alive_however_long_the_lag(bench: Bench) -> None:
    bench.lag = 5
    for _ in range(20):
        bench.movement.moves += 1
        bench.look(30)
    assert not bench.ended


def test_no_lag_is_no_stall(bench: Bench) -> None:
    for _ in range(20):
        bench.look(30)
    bench.lag = 1
    bench.look(30)
    assert not bench.ended, "the clock starts when the lag does"


def test_a_broker_that_is_away_is_no_stall(bench: Bench) -> None:
    bench.lag = OSError("away")
    for _ in range(20):
        bench.look(30)
    bench.lag = 5
    bench.look(30)
    assert not bench.ended


def test_a_worker_that_is_never_assigned_is_ended() -> None:
    bench = Bench()
    bench.look(29)
    assert not bench.ended
    bench.look(2)
    assert bench.ended == [EXIT_STALLED]
