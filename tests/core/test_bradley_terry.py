"""The Bradley-Terry model with ties."""

from itertools import combinations, permutations
from math import exp, sqrt
from statistics import NormalDist

import pytest

from judgestream.core import bradley_terry
from judgestream.core.bradley_terry import PRIOR_SD, Comparison, fit


def against(first: int, second: int, *, win: float, tie: float = 0.0) -> Comparison:
    return Comparison(first=first, second=second, win=win, tie=tie, lose=1 - win - tie)


def expected(first: int, second: int, strengths: list[float], tie: float) -> Comparison:
    """The model's own outcome, by its formula."""
    half = (strengths[first] - strengths[second]) / 2
    weights = [exp(half), exp(tie), exp(-half)]
    win, equal, lose = (weight / sum(weights) for weight in weights)
    return Comparison(first=first, second=second, win=win, tie=equal, lose=lose)


@pytest.mark.no_cover
def test_many_comparisons_recover_the_strengths() -> None:
    strengths, tie = [1.2, 0.3, -0.4, -1.1], -0.7
    once = [expected(a, b, strengths, tie) for a, b in combinations(range(4), 2)]
    found = fit(4, once * 3000)
    assert found.means == pytest.approx(strengths, abs=2e-3)
    assert found.tie == pytest.approx(tie, abs=2e-3)


def test_one_win_of_two_by_hand() -> None:
    """No data on ties, so the mode solves, with d the difference and t the tie parameter:

    d / (2 sd^2) = 1/2 - (P(win) - P(lose)) / 2 and t / sd^2 = -P(tie). The first is d/2 per candidate.
    """
    found = fit(2, [against(0, 1, win=1.0)])
    difference = found.means[0] - found.means[1]
    weights = [exp(difference / 2), exp(found.tie), exp(-difference / 2)]
    win, tie, lose = (weight / sum(weights) for weight in weights)
    assert difference / (2 * PRIOR_SD**2) == pytest.approx((1 - (win - lose)) / 2)
    assert found.tie / PRIOR_SD**2 == pytest.approx(-tie)
    assert 1.5 < difference < 3.0


def test_the_deviation_of_two_equal_candidates_by_hand() -> None:
    """At d = 0 the information on d is n (1 - P(tie)) / 4, and the prior's 1 / (2 sd^2); each candidate's
    strength less the mean is d / 2."""
    found = fit(2, [against(0, 1, win=0.4, tie=0.2)] * 100)
    assert found.means == pytest.approx((0.0, 0.0), abs=1e-9)
    tie = exp(found.tie) / (2 + exp(found.tie))
    assert tie == pytest.approx(0.2, abs=0.01)
    information = 100 * (1 - tie) / 4 + 1 / (2 * PRIOR_SD**2)
    assert found.deviation(0) == pytest.approx(sqrt(1 / information) / 2)
    assert found.deviation(1) == pytest.approx(found.deviation(0))


def test_the_gradient_and_the_curvature_are_derivatives_of_the_posterior() -> None:
    data = [against(0, 1, win=0.7, tie=0.1), against(2, 1, win=0.2, tie=0.5)]
    point = [0.4, -0.3, 0.9, -1.2]
    gradient, curvature = bradley_terry._derivatives(point, data)
    step = 1e-4
    for k in range(4):
        up, down = (
            [value + sign * step * (j == k) for j, value in enumerate(point)] for sign in (1, -1)
        )
        slope = bradley_terry._log_posterior(up, data) - bradley_terry._log_posterior(down, data)
        assert gradient[k] == pytest.approx(slope / (2 * step), abs=1e-6)
        above, below = (bradley_terry._derivatives(moved, data)[0] for moved in (up, down))
        for j in range(4):
            assert -curvature[j][k] == pytest.approx((above[j] - below[j]) / (2 * step), abs=1e-6)


def test_a_candidate_that_always_wins_stays_finite_and_is_the_best() -> None:
    data = [against(a, b, win=1.0) for a, b in combinations(range(4), 2)] * 20
    found = fit(4, data)
    assert list(found.means) == sorted(found.means, reverse=True)
    assert max(found.means) < 6
    assert sum(found.means) == pytest.approx(0, abs=1e-9)
    assert found.p_best()[0] > 0.95


def test_nothing_but_ties_and_a_circle_are_a_draw() -> None:
    ties = [against(a, b, win=0.0, tie=1.0) for a, b in combinations(range(3), 2)]
    circle = [against(0, 1, win=1.0), against(1, 2, win=1.0), against(2, 0, win=1.0)]
    for data in (ties, circle):
        found = fit(3, data)
        assert found.means == pytest.approx((0, 0, 0), abs=1e-9)
        assert found.p_best() == pytest.approx((1 / 3, 1 / 3, 1 / 3))


def test_p_best_of_two_is_the_normal_distributions() -> None:
    """P(d > 0) for d normal with mean 2 m and deviation 2 s."""
    found = fit(2, [against(0, 1, win=0.6, tie=0.1)] * 10)
    ratio = found.means[0] / found.deviation(0)
    expected_share = NormalDist().cdf(ratio)
    assert found.p_best(20_000)[0] == pytest.approx(expected_share, abs=0.01)
    assert sum(found.p_best()) == pytest.approx(1)


def test_permuted_candidates_have_permuted_results() -> None:
    data = [
        against(0, 1, win=0.8, tie=0.1),
        against(1, 2, win=0.6),
        against(0, 2, win=0.3, tie=0.5),
    ]
    straight = fit(3, data)
    for order in permutations(range(3)):
        moved = [
            Comparison(
                first=order[c.first], second=order[c.second], win=c.win, tie=c.tie, lose=c.lose
            )
            for c in data
        ]
        found = fit(3, moved)
        assert [found.means[k] for k in order] == pytest.approx(straight.means, abs=1e-9)
        assert [found.p_best()[k] for k in order] == pytest.approx(straight.p_best(), abs=0.002)
