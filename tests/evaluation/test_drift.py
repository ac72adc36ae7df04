"""Drift by hand, its noise without drift, and chi-squared against scipy."""

from math import log
from statistics import fmean

import numpy as np
import pytest
from scipy.stats import chi2

from judgestream.evaluation.drift import DISTRIBUTIONS, drift, drifts
from judgestream.evaluation.probes import count_names
from judgestream.evaluation.quantiles import chi_squared, chi_squared_tail
from tests.evaluation.simulate_drift import alarms


def test_the_index_by_hand() -> None:
    """100 and 100 verdicts, 50 and 80 of them ties; half an observation is added to each category."""
    now = [{"tied": 1}] * 50 + [{"untied": 1}] * 50
    before = [{"tied": 1}] * 80 + [{"untied": 1}] * 20
    found = drift(now, before, ("tied", "untied"))
    assert found is not None
    p, q = 50.5 / 101, 80.5 / 101
    assert found.index == pytest.approx((p - q) * log(p / q) + (q - p) * log((1 - p) / (1 - q)))
    assert (found.n, found.before) == (100, 100)
    assert found.by_chance == pytest.approx(0.02)
    assert found.at_most == pytest.approx(3.8415 * 0.02, rel=1e-4)
    assert found.drifted and found.p_value < 1e-4


def test_equal_windows_have_no_drift() -> None:
    counts = [{"tied": 3, "untied": 7}] * 10
    found = drift(counts, counts, ("tied", "untied"))
    assert found is not None
    assert (found.index, found.p_value, found.drifted) == (0.0, 1.0, False)


@pytest.mark.parametrize(("size", "icc"), [(1, 0.0), (6, 0.0), (6, 0.3)])
def test_chance_alone_seldom_raises_an_alarm(size: int, icc: float) -> None:
    found = alarms(np.random.default_rng(size), 250, prompts=60, size=size, icc=icc)
    assert 0.01 <= fmean(one.drifted for one in found) <= 0.09
    assert fmean(one.index for one in found) == pytest.approx(
        fmean(one.by_chance for one in found), rel=0.15
    )


def test_a_drift_is_seen() -> None:
    found = alarms(np.random.default_rng(0), 100, prompts=200, size=1, icc=0.0, moved=True)
    assert fmean(one.drifted for one in found) > 0.7


def test_what_does_not_vary_or_was_not_counted_has_no_drift() -> None:
    assert drift([{"tied": 5}], [{"tied": 9}], ("tied", "untied")) is None
    assert drift([], [{"tied": 9, "untied": 1}], ("tied", "untied")) is None
    alone = drift([{"tied": 30, "untied": 10}], [{"tied": 1}, {"untied": 1}], ("tied", "untied"))
    assert alone is not None and not alone.drifted  # one prompt is one observation


def test_every_distribution_is_of_stored_counts() -> None:
    stored = {*count_names(), "shorter_won"}
    assert {name for names in DISTRIBUTIONS.values() for name in names} <= stored
    before = [{"length_pairs": 1, "longer_won": k % 2, "scored": 1} for k in range(200)]
    now = [{"length_pairs": 1, "longer_won": 1, "scored": 1} for _ in range(200)]
    assert set(drifts(now, before)) == {"length"}
    assert drifts(now, before)["length"].drifted


@pytest.mark.parametrize("df", [1, 2, 4, 9.5, 40])
def test_chi_squared_equals_scipys(df: float) -> None:
    for level in (0.05, 0.5, 0.95, 0.999):
        assert chi_squared(level, df) == pytest.approx(chi2.ppf(level, df), rel=1e-4)
    for value in (0.01, 0.5, 3.0, 20.0, 90.0):
        assert chi_squared_tail(value, df) == pytest.approx(chi2.sf(value, df), rel=1e-8)
    assert chi_squared_tail(0.0, df) == 1.0


def test_impossible_arguments() -> None:
    with pytest.raises(ValueError, match="degrees of freedom"):
        chi_squared_tail(1.0, 0.0)
    with pytest.raises(ValueError, match="level"):
        chi_squared(1.0, 2.0)
