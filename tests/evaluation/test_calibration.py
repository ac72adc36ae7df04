from collections.abc import Hashable
from statistics import fmean

import numpy as np
import pytest

from judgestream.evaluation.brier import brier
from judgestream.evaluation.calibration import bin_of, calibration
from tests.evaluation.simulate import confident, coverage


def test_worked_by_hand() -> None:
    # bin 0.6: .6 hit, .6 miss: |1.2 - 1| = .2; bin 0.9: .9 hit, .9 hit: |1.8 - 2| = .2; ece = .4 / 4 = .1
    found = calibration([0.6, 0.6, 0.9, 0.9], [True, False, True, True])
    assert found is not None
    assert (found.n, found.ece) == pytest.approx((4, 0.1))
    # noise: sqrt(2/pi) (sqrt(2 * .24) + sqrt(2 * .09)) / 4 = .7979 (.6928 + .4243) / 4
    assert found.if_calibrated == pytest.approx(0.2228, abs=1e-4)
    assert found.debiased == 0.0
    assert found.calibrated
    assert found.interval.low == 0.0 < found.ece < found.interval.high


def test_certain_and_right_is_calibrated_and_certain_and_wrong_is_not() -> None:
    right, wrong = calibration([1.0] * 30, [True] * 30), calibration([1.0] * 30, [False] * 30)
    assert right is not None and wrong is not None
    assert (right.ece, right.at_most, right.calibrated) == (0.0, 0.0, True)
    assert right.interval.high > 0.0
    assert (wrong.ece, wrong.debiased, wrong.calibrated) == (1.0, 1.0, False)


def test_bins_have_their_lower_edge() -> None:
    assert [bin_of(c) for c in (0.0, 0.099, 0.1, 0.3, 0.6, 0.7, 0.999, 1.0)] == [
        0,
        0,
        1,
        3,
        6,
        7,
        9,
        9,
    ]


def test_calibration_of_nothing_is_none_and_invalid_confidences_are_rejected() -> None:
    assert calibration([], []) is None
    for confidence in (-0.1, 1.1, float("nan")):
        with pytest.raises(ValueError, match="between 0 and 1"):
            calibration([confidence], [True])
    with pytest.raises(ValueError, match="zip"):
        calibration([0.5], [])


@pytest.mark.no_cover
# statistics.md section 3: what a perfectly calibrated judge shows
@pytest.mark.parametrize(
    ("n", "least", "most"), [(50, 0.08, 0.13), (100, 0.06, 0.09), (1000, 0.02, 0.03)]
)
def test_the_error_of_a_calibrated_judge_is_reported_beside_the_estimate(
    n: int, least: float, most: float
) -> None:
    draw = np.random.default_rng(n)
    found = [calibration(*confident(draw, n, error=0.0)) for _ in range(300)]
    raw = fmean(one.ece for one in found if one)
    assert least < raw < most
    assert fmean(one.if_calibrated for one in found if one) == pytest.approx(raw, rel=0.06)
    assert fmean(one.debiased for one in found if one) < 0.45 * raw
    flagged = sum(not one.calibrated for one in found if one) / 300
    assert 0.01 <= flagged <= 0.08


@pytest.mark.parametrize("sharp", [False, True])
@pytest.mark.parametrize("error", [0.0, 0.05, 0.1])
@pytest.mark.parametrize("n", [50, 200, 1000])
def test_the_interval_covers_the_true_error_wherever_it_lies(
    n: int, error: float, sharp: bool
) -> None:
    draw = np.random.default_rng([n, int(100 * error), sharp])
    found = [calibration(*confident(draw, n, error=error, sharp=sharp)) for _ in range(200)]
    assert coverage((one.interval for one in found if one), error) >= 0.93
    if n == 1000:
        assert fmean(one.debiased for one in found if one) == pytest.approx(error, abs=0.012)


THREE: dict[Hashable, float] = {1: 0.7, 0: 0.2, -1: 0.1}


def test_brier_worked_by_hand() -> None:
    # truth 1: .3^2 + .2^2 + .1^2 = .14; truth -1: .7^2 + .2^2 + .9^2 = 1.34; mean .74
    found = brier([THREE, THREE], [1, -1])
    assert found is not None
    assert found.value == pytest.approx(0.74)
    right, wrong = brier([{1: 1.0}], [1]), brier([{1: 1.0}], [-1])
    assert right is not None and right.value == 0.0
    assert wrong is not None and wrong.value == 2.0
    assert brier([], []) is None


@pytest.mark.no_cover
@pytest.mark.parametrize("n", [30, 100, 400])
def test_the_interval_of_the_brier_score_covers(n: int) -> None:
    # the truth is drawn from what the judge says: E = 1 - E sum of squares; by a large sample
    draw = np.random.default_rng(n)
    shares = draw.dirichlet([2.0, 0.5, 1.5], 40_000)
    truth = float(1.0 - (shares**2).sum(1).mean())

    found = []
    for _ in range(300):
        rows = draw.dirichlet([2.0, 0.5, 1.5], n)
        picked = (rows.cumsum(1) < draw.random((n, 1))).sum(1)
        found.append(brier([dict(enumerate(row)) for row in rows.tolist()], picked.tolist()))
    assert coverage((mean.interval for mean in found if mean), truth) >= 0.93
