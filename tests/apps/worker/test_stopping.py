"""The first signal drains; a later one ends at once, and so does the time limit."""

from collections.abc import Callable
from signal import SIGINT, SIGTERM

from judgestream.apps.worker.stopping import SECOND_S, Stopping


class Bench:
    def __init__(self) -> None:
        self.now = 50.0
        self.begun = 0
        self.ended: list[int] = []
        self.timers: list[tuple[float, Callable[[], None]]] = []
        self.stopping = Stopping(
            self._begin,
            limit_s=60,
            end=self.ended.append,
            later=lambda seconds, act: self.timers.append((seconds, act)),
            clock=lambda: self.now,
        )

    def _begin(self) -> None:
        self.begun += 1


def test_the_first_signal_drains_and_ends_nothing() -> None:
    bench = Bench()
    bench.stopping.signal(SIGTERM)
    assert (bench.begun, bench.ended) == (1, [])


def test_two_signals_at_once_are_one_wish() -> None:
    bench = Bench()
    bench.stopping.signal(SIGINT)
    bench.now += SECOND_S
    bench.stopping.signal(SIGTERM)
    assert (bench.begun, bench.ended) == (1, [])


def test_a_second_signal_ends_the_process_as_signals_do() -> None:
    bench = Bench()
    bench.stopping.signal(SIGTERM)
    bench.now += 2 * SECOND_S
    bench.stopping.signal(SIGTERM)
    assert (bench.begun, bench.ended) == (1, [143])


def test_a_process_that_cannot_stop_ends_at_the_limit() -> None:
    bench = Bench()
    bench.stopping.signal(SIGTERM)
    ((seconds, act),) = bench.timers
    assert seconds == 60
    act()
    assert bench.ended == [143]
