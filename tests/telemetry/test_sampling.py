"""Who decides that a record is traced, and the limit on traces."""

import pytest

from judgestream.telemetry.sampling import Sampling


@pytest.mark.parametrize(
    ("parent", "share", "wanted"),
    [
        (True, 0.0, True),
        (False, 1.0, False),
        (None, 0.0, False),
        (None, 0.5, False),
        (None, 0.51, True),
        (None, 1.0, True),
    ],
)
def test_the_parents_flag_decides_and_others_are_drawn(
    parent: bool | None, share: float, wanted: bool
) -> None:
    sampling = Sampling(share=share, most_per_s=10, clock=lambda: 0.0, draw=lambda: 0.5)
    assert sampling.wanted(parent) is wanted


def test_the_limit_lets_a_burst_through_then_its_rate() -> None:
    now = 0.0
    sampling = Sampling(share=1, most_per_s=4, clock=lambda: now, draw=lambda: 0.0)
    assert sum(sampling.wanted(True) for _ in range(50)) == 8  # two seconds' worth
    now = 1.0
    assert sum(sampling.wanted(None) for _ in range(50)) == 4
    assert sampling.limited == 42 + 46
    now = 100.0
    assert sum(sampling.wanted(True) for _ in range(50)) == 8


def test_a_limit_below_one_per_second_still_lets_traces_through() -> None:
    now = 0.0
    sampling = Sampling(share=1, most_per_s=0.1, clock=lambda: now, draw=lambda: 0.0)
    assert [sampling.wanted(True), sampling.wanted(True)] == [True, False]
    now = 10.0
    assert [sampling.wanted(True), sampling.wanted(True)] == [True, False]
