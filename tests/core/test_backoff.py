"""Pauses double up to their bound, and jitter only shortens them."""

from hypothesis import given
from hypothesis import strategies as st

from judgestream.core.backoff import Backoff


def test_pauses_double_up_to_the_longest() -> None:
    backoff = Backoff(first_s=1.0, longest_s=10.0)
    assert [backoff(n) for n in range(1, 7)] == [1, 2, 4, 8, 10, 10]


def test_a_million_failures_are_not_too_many() -> None:
    assert Backoff(first_s=0.1, longest_s=60.0)(1_000_000) == 60.0


@given(failures=st.integers(1, 10_000), draw=st.floats(0, 1), first_s=st.floats(1e-3, 1e3))
def test_jitter_takes_at_most_half_of_a_pause(failures: int, draw: float, first_s: float) -> None:
    full = Backoff(first_s=first_s, longest_s=30.0)(failures)
    pause = Backoff(first_s=first_s, longest_s=30.0, draw=lambda: draw)(failures)
    assert full / 2 <= pause <= full <= 30.0
