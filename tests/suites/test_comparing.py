"""Two runs of a suite."""

import pytest

from judgestream.suites.comparing import compare


def test_the_difference_is_of_the_items_that_both_runs_have() -> None:
    first = {"a": ("p", 1.0), "b": ("p", 1.0), "c": ("q", 0.0), "d": ("r", 1.0)}
    second = {"a": ("p", 0.0), "b": ("p", 1.0), "c": ("q", 0.0), "e": ("s", 1.0)}
    found = compare(first, second, seed=0)
    assert found and (found.n, found.prompts) == (3, 2)
    assert (found.first, found.second) == pytest.approx((2 / 3, 1 / 3))
    assert found.difference == pytest.approx(1 / 3)
    assert (found.better, found.worse, found.only_first, found.only_second) == (1, 0, 1, 1)
    assert found.few and not found.clear
    assert found == compare(first, second, seed=0), "the same seed gives the same interval"


def test_a_run_that_is_always_better_is_clearly_so() -> None:
    first = {str(k): (str(k), 1.0) for k in range(60)}
    second = {str(k): (str(k), float(k % 2)) for k in range(60)}
    found = compare(first, second, seed=1)
    assert found and found.clear and not found.few and found.difference == 0.5
    assert compare(first, {}, seed=1) is None
