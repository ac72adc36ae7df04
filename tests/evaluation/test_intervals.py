"""Intervals of shares, against published tables and exact coverage."""

import random
from math import comb

import pytest

from judgestream.evaluation.intervals import (
    Interval,
    magnitude,
    paired_difference,
    wilson_score,
)

# Newcombe (1998), Stat. Med. 17:857, table I, method 3: count, n, low, high.
NEWCOMBE = [
    (81, 263, 0.2553, 0.3662),
    (15, 148, 0.0624, 0.1605),
    (0, 20, 0.0000, 0.1611),
    (1, 29, 0.0061, 0.1718),
]


@pytest.mark.parametrize(("count", "n", "low", "high"), NEWCOMBE)
def test_wilson_as_published(count: int, n: int, low: float, high: float) -> None:
    found = wilson_score(count, n)
    assert (round(found.low, 4), round(found.high, 4)) == (low, high)
    assert (found.level, found.method) == (0.95, "wilson score")


@pytest.mark.parametrize("n", [1, 2, 10, 1000])
def test_wilson_mirrors_and_stays_within_its_range(n: int) -> None:
    for count in {0, 1, n // 2, n}:
        one, other = wilson_score(count, n), wilson_score(n - count, n)
        assert 0.0 <= one.low <= count / n <= one.high <= 1.0
        assert (one.low, one.high) == pytest.approx((1 - other.high, 1 - other.low))


@pytest.mark.parametrize(("count", "n"), [(0, 0), (-1, 5), (6, 5)])
def test_a_count_outside_zero_to_n_is_refused(count: int, n: int) -> None:
    with pytest.raises(ValueError, match="not a share"):
        wilson_score(count, n)


def test_paired_difference_worked_by_hand() -> None:
    # 8 toward the first, 3 toward the second, of 23: p = 9/25, q = 4/25, p - q = 0.2
    # variance (9/25 + 4/25 - 0.04) / 25 = 0.48 / 25 = 0.0192, half 1.959964 * 0.1385641 = 0.271581
    found = paired_difference(8, 3, 23)
    assert (found.low, found.high) == pytest.approx((0.2 - 0.271581, 0.2 + 0.271581), abs=1e-6)
    assert found.method == "adjusted wald, paired"


@pytest.mark.parametrize(("first", "second", "n"), [(0, 0, 1), (5, 0, 5), (0, 7, 7), (3, 3, 6)])
def test_paired_difference_holds_its_estimate_mirrors_and_is_never_degenerate(
    first: int, second: int, n: int
) -> None:
    one, other = paired_difference(first, second, n), paired_difference(second, first, n)
    assert -1.0 <= one.low <= (first - second) / n <= one.high <= 1.0
    assert one.low < one.high
    assert (one.low, one.high) == pytest.approx((-other.high, -other.low))


@pytest.mark.parametrize(("first", "second", "n"), [(0, 0, 0), (-1, 0, 5), (3, 3, 5)])
def test_counts_that_exceed_n_together_are_refused(first: int, second: int, n: int) -> None:
    with pytest.raises(ValueError, match="exclusive"):
        paired_difference(first, second, n)


# JudgeLM-7B's published biases, a judge without bias, a strongly biased one, an almost perfect one.
TRUTHS = [(0.1231, 0.0507), (0.1, 0.1), (0.6, 0.1), (0.02, 0.01)]


@pytest.mark.parametrize(("p", "q"), TRUTHS)
@pytest.mark.parametrize("n", [30, 100])
def test_paired_difference_covers_the_truth_about_as_often_as_it_says(
    p: float, q: float, n: int
) -> None:
    """Exact: the probability of every possible pair of counts, summed where the interval holds p - q."""
    covered = 0.0
    for a in range(n + 1):
        for b in range(n + 1 - a):
            found = paired_difference(a, b, n)
            if found.low <= p - q <= found.high:
                ways = comb(n, a) * comb(n - a, b)
                covered += ways * p**a * q**b * (1 - p - q) ** (n - a - b)
    assert covered >= 0.93
    assert covered <= (
        0.97 if n * (p + q) >= 10 else 1.0
    )  # conservative where hardly anything flips


def test_paired_difference_covers_the_truth_in_a_seeded_simulation() -> None:
    draw, hits, trials, n = random.Random(7), 0, 4000, 60
    for _ in range(trials):
        leans = draw.choices((1, -1, 0), weights=(0.2, 0.1, 0.7), k=n)
        found = paired_difference(leans.count(1), leans.count(-1), n)
        hits += found.low <= 0.1 <= found.high
    assert 0.94 <= hits / trials <= 0.965


# signed low, high -> low, high of the absolute value
MAGNITUDES = [
    (0.1, 0.3, 0.1, 0.3),
    (-0.3, -0.1, 0.1, 0.3),
    (-0.1, 0.3, 0.0, 0.3),
    (-0.3, 0.1, 0.0, 0.3),
    (0.0, 0.2, 0.0, 0.2),
]


@pytest.mark.parametrize(("low", "high", "least", "most"), MAGNITUDES)
def test_magnitude(low: float, high: float, least: float, most: float) -> None:
    signed = Interval(low=low, high=high, level=0.9, method="any")
    expected = Interval(low=least, high=most, level=0.9, method="any")
    assert magnitude(signed) == expected


def test_levels_outside_zero_to_one_are_refused() -> None:
    for level in (0.0, 1.0, 95.0):
        with pytest.raises(ValueError, match="level"):
            wilson_score(1, 2, level=level)
