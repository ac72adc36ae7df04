from math import comb

import numpy as np
import pytest
from scipy import stats

from judgestream.evaluation.intervals import paired_difference
from judgestream.evaluation.paired import compare, mcnemar, signed_mean
from tests.evaluation.simulate import coverage, gains


def test_worked_by_hand() -> None:
    # both right 5, only the first 4, only the second 1, neither 2: difference 3 / 12
    # McNemar: 2 * (C(5,0) + C(5,1)) / 2^5 = 12 / 32
    first = [True] * 5 + [True] * 4 + [False] + [False] * 2
    second = [True] * 5 + [False] * 4 + [True] + [False] * 2
    found = compare(first, second)
    assert found is not None
    assert (found.n, found.both, found.only_first, found.only_second, found.neither) == (
        (12, 5, 4, 1, 2)
    )
    assert found.difference == pytest.approx(0.25)
    assert found.p_value == pytest.approx(0.375)
    assert found.interval == paired_difference(4, 1, 12)


def test_swapping_the_judges_mirrors_the_comparison() -> None:
    draw = np.random.default_rng(1)
    first, second = (draw.random((2, 60)) < 0.7).tolist()
    clusters = [k // 3 for k in range(60)]
    one, other = compare(first, second, clusters), compare(second, first, clusters)
    assert one is not None and other is not None and one.interval and other.interval
    assert (one.difference, one.p_value) == (-other.difference, other.p_value)
    assert (one.interval.low, one.interval.high) == pytest.approx(
        (-other.interval.high, -other.interval.low)
    )


@pytest.mark.parametrize(
    ("b", "c"), [(0, 0), (1, 0), (5, 0), (4, 1), (30, 50), (7, 7), (2000, 2200)]
)
def test_mcnemar_is_the_exact_binomial_test(b: int, c: int) -> None:
    expected = stats.binomtest(b, b + c).pvalue if b + c else 1.0
    assert mcnemar(b, c) == pytest.approx(expected)


def test_mcnemar_rejects_true_nulls_no_more_often_than_it_says() -> None:
    n = 40
    rejected = sum(comb(n, k) for k in range(n + 1) if mcnemar(k, n - k) <= 0.05) / 2**n
    assert rejected <= 0.05


def test_equal_judges_differ_by_nothing_and_that_is_not_certain() -> None:
    found = compare([True, False] * 20, [True, False] * 20)
    assert found is not None and found.interval is not None
    assert (found.difference, found.p_value) == (0.0, 1.0)
    assert found.interval.low < 0.0 < found.interval.high


def test_nothing_compares_to_nothing_and_signs_are_signs() -> None:
    assert compare([], []) is None and signed_mean([]) is None
    with pytest.raises(ValueError, match="signs"):
        signed_mean([2])
    with pytest.raises(ValueError, match="zip"):
        compare([True], [])
    alone = compare([True, True], [False, True], ["q", "q"])
    assert alone is not None and alone.interval is None


@pytest.mark.parametrize("correlation", [0.0, 0.3])
@pytest.mark.parametrize("size", [1, 4, 15])
def test_the_interval_covers_with_many_verdicts_on_a_prompt(size: int, correlation: float) -> None:
    """60 prompts, each with its own share; on average 25 % gained and 15 % lost."""
    draw = np.random.default_rng([size, int(10 * correlation)])
    clusters = [k // size for k in range(60 * size)]
    found, naive = [], []
    for _ in range(200):
        signs = gains(draw, 0.1, correlation, prompts=60, size=size)
        found.append(signed_mean(signs, clusters))
        naive.append(paired_difference(signs.count(1), signs.count(-1), len(signs)))
    assert coverage((one.interval for one in found if one), 0.1) >= 0.92
    if size == 15 and correlation:
        assert coverage(naive, 0.1) < 0.8
