"""The percentile bootstrap: reproducible from its seed, and as wide as theory says."""

import random
from collections import Counter

import pytest

from judgestream.evaluation.bootstrap import least_resamples, percentile_bootstrap
from judgestream.evaluation.kappa import cohen_kappa


def test_bootstrap_repeats_with_its_seed_and_holds_the_estimate() -> None:
    draw = random.Random(1)
    rows = [draw.gauss(0.0, 1.0) for _ in range(200)]
    one = percentile_bootstrap(lambda r: sum(r) / len(r), rows, seed=3)
    assert one is not None
    assert one == percentile_bootstrap(lambda r: sum(r) / len(r), rows, seed=3)
    assert one != percentile_bootstrap(lambda r: sum(r) / len(r), rows, seed=4)
    assert one.low < sum(rows) / len(rows) < one.high
    assert one.method == "percentile bootstrap"


@pytest.mark.no_cover
def test_bootstrap_of_a_mean_is_as_wide_as_theory_says() -> None:
    # 400 rows of 0 or 1, half each: standard error 0.5 / 20 = 0.025, width 2 * 1.96 * 0.025 = 0.098
    rows = [0.0, 1.0] * 200
    found = percentile_bootstrap(lambda r: sum(r) / len(r), rows, seed=11, resamples=4000)
    assert found is not None
    assert found.high - found.low == pytest.approx(0.098, abs=0.006)


def test_bootstrap_leaves_each_tail_outside() -> None:
    # A statistic that counts up: 0, 1, ..., 99. At level 0.9, five stay outside on either side.
    ranks = iter(range(100))
    found = percentile_bootstrap(
        lambda _: float(next(ranks)), [0], seed=0, resamples=100, level=0.9
    )
    assert found is not None
    assert (found.low, found.high) == (5.0, 94.0)


def test_bootstrap_says_how_many_resamples_had_a_value() -> None:
    # kappa has no value when a resample holds one label only: often, among three rows
    found = percentile_bootstrap(
        lambda rows: cohen_kappa(Counter(rows)),
        [(1, 1), (1, 1), (0, 0)],
        seed=5,
        resamples=100,
    )
    assert found is not None
    assert found.method.endswith("of 100 resamples")
    assert percentile_bootstrap(lambda _: None, [1], seed=5) is None


def test_bootstrap_draws_whole_clusters() -> None:
    """Two clusters of five equal rows: a resample has the mean 0, 1/2 or 1 and nothing between."""
    rows, clusters = [0.0] * 5 + [1.0] * 5, ["a"] * 5 + ["b"] * 5
    means: set[float] = set()

    def mean(drawn: "list[float] | tuple[float, ...]") -> float:
        means.add(sum(drawn) / len(drawn))
        return sum(drawn) / len(drawn)

    found = percentile_bootstrap(lambda r: mean(list(r)), rows, seed=2, clusters=clusters)
    assert found is not None and found.method == "percentile bootstrap of clusters"
    assert means == {0.0, 0.5, 1.0}


def test_bootstrap_refuses_no_rows_and_too_few_resamples() -> None:
    with pytest.raises(ValueError, match="0 rows"):
        percentile_bootstrap(lambda _: 0.0, [], seed=1)
    assert least_resamples() == 40
    with pytest.raises(ValueError, match="at least 40"):
        percentile_bootstrap(lambda _: 0.0, [1], seed=1, resamples=39)
