"""The watchdog ends stuck workers and no others. The test moves its clock."""

import pytest

from judgestream.apps.worker.watchdog import EXIT_STALLED, Activity, Watchdog


class Bench:
    def __init__(self) -> None:
        self.now = 0.0
        self.lag: int | Exception = 0
        self.ended: list[int] = []
        self.activity = Activity()
        self.watchdog = Watchdog(
            self.activity,
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

    def check(self, after: float) -> None:
        self.now += after
        self.watchdog.check()


@pytest.fixture
def bench() -> Bench:
    made = Bench()
    made.activity.assigned = frozenset({("judge.requests.v1", 0)})
    return made


def test_lag_without_activity_ends_the_worker(bench: Bench) -> None:
    bench.lag = 5
    bench.check(30)
    bench.check(20)
    assert not bench.ended
    bench.check(20)
    assert bench.ended == [EXIT_STALLED]


def test_activity_keeps_the_worker_alive_however_large_the_lag(bench: Bench) -> None:
    bench.lag = 5
    for _ in range(20):
        bench.activity.events += 1
        bench.check(30)
    assert not bench.ended


def test_without_lag_there_is_no_stall(bench: Bench) -> None:
    for _ in range(20):
        bench.check(30)
    bench.lag = 1
    bench.check(30)
    assert not bench.ended, "the clock starts when the lag does"


def test_an_unavailable_broker_is_not_a_stall(bench: Bench) -> None:
    bench.lag = OSError("away")
    for _ in range(20):
        bench.check(30)
    bench.lag = 5
    bench.check(30)
    assert not bench.ended


def test_a_worker_that_is_never_assigned_is_ended() -> None:
    bench = Bench()
    bench.check(29)
    assert not bench.ended
    bench.check(2)
    assert bench.ended == [EXIT_STALLED]
