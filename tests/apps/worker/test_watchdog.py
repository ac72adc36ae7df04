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
    assert not bench.ended, "a supervisor can see why first"
    consumer = bench.watchdog.consumer()
    assert (consumer.ok, consumer.detail) == (False, "5 records behind and no progress for 70 s")
    bench.check(10)
    assert bench.ended == [EXIT_STALLED]


def test_progress_after_a_stall_keeps_the_worker_alive(bench: Bench) -> None:
    bench.lag = 5
    bench.check(70)
    assert not bench.watchdog.consumer().ok
    bench.activity.events += 1
    bench.check(10)
    assert bench.watchdog.consumer().ok
    bench.check(10)
    assert not bench.ended


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
    assert bench.watchdog.consumer().ok
    bench.check(2)
    assert not bench.watchdog.consumer().ok
    assert not bench.ended
    bench.check(2)
    assert bench.ended == [EXIT_STALLED]


def test_readiness_needs_partitions_and_the_broker() -> None:
    bench = Bench()
    assert not bench.watchdog.partitions().ok
    bench.check(25)
    assert bench.watchdog.broker().ok, "it is not asked before the assignment"
    bench.activity.assigned = frozenset({("judge.requests.v1", 0)})
    assert bench.watchdog.partitions().ok
    bench.lag = OSError("away")
    bench.check(20)
    assert bench.watchdog.broker().ok, "one answer may be late"
    bench.check(3)
    broker, consumer = bench.watchdog.broker(), bench.watchdog.consumer()
    assert (broker.ok, broker.detail) == (False, "no answer for 23 s")
    assert (consumer.ok, consumer.detail) == (True, "lag unknown, progress 0 s ago")
    bench.lag = 3
    bench.check(1)
    assert bench.watchdog.broker().ok
    assert bench.watchdog.consumer().detail.startswith("3 records behind")


def test_a_worker_without_partitions_is_a_ready_spare() -> None:
    bench = Bench()
    bench.activity.assigned = frozenset()
    check = bench.watchdog.partitions()
    assert check.ok
    assert "more workers than partitions" in check.detail
