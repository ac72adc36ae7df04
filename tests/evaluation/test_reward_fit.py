"""Scale and margin of a reward model: by hand, and recovered from simulated labels."""

import random
from math import log, sqrt

import pytest

from judgestream.core.preference import Preference
from judgestream.core.rewards import outcomes
from judgestream.evaluation.reward_fit import fit_rewards

FIRST, TIE, SECOND = Preference.FIRST, Preference.TIE, Preference.SECOND


def test_without_ties_by_hand() -> None:
    # the difference is always 3, and the first is better in 90 of 120: 3 / scale = logit(3/4) = log 3
    fit = fit_rewards([3.0] * 120, [FIRST] * 90 + [SECOND] * 30)
    assert fit.scale == pytest.approx(3 / log(3))
    assert (fit.margin, fit.margin_error, fit.ties, fit.right) == (0.0, 0.0, 0, 90)
    # the standard error of a logit is 1 / sqrt(n p (1 - p)); of the scale, by the delta method
    assert fit.scale_error == pytest.approx(fit.scale / log(3) / sqrt(120 * 0.75 * 0.25))
    entropy = -(0.75 * log(0.75) + 0.25 * log(0.25))
    assert fit.nll == pytest.approx(entropy) and fit.nll_shares == pytest.approx(entropy)


def test_with_ties_by_hand() -> None:
    # two free probabilities, two numbers: s(2/scale - m) = .6 and s(-2/scale - m) = .15 hold exactly
    fit = fit_rewards([2.0] * 200, [FIRST] * 120 + [TIE] * 50 + [SECOND] * 30)
    up, down = log(0.6 / 0.4), log(0.15 / 0.85)
    assert 2 / fit.scale == pytest.approx((up - down) / 2)
    assert fit.margin == pytest.approx(-(up + down) / 2)
    assert (fit.n, fit.ties) == (200, 50)


def test_exchanging_the_answers_changes_nothing() -> None:
    values = [(-1) ** k * (k % 7) / 3 for k in range(150)]
    truths = [(FIRST, TIE, SECOND, FIRST)[k % 4] if k % 3 else SECOND for k in range(150)]
    truths = [
        Preference.between(x, 0) if k % 2 else t
        for k, (x, t) in enumerate(zip(values, truths, strict=True))
    ]
    one = fit_rewards(values, truths)
    other = fit_rewards([-x for x in values], [truth.mirrored for truth in truths])
    assert (one.scale, one.margin) == pytest.approx((other.scale, other.margin))


def simulated(
    draw: random.Random, n: int, scale: float, margin: float
) -> tuple[list[float], list[Preference]]:
    differences = [draw.gauss(0, 2 * scale) for _ in range(n)]
    truths = []
    for x in differences:
        win, tie, _ = outcomes(x / scale, margin)
        at = draw.random()
        truths.append(FIRST if at < win else TIE if at < win + tie else SECOND)
    return differences, truths


@pytest.mark.no_cover
@pytest.mark.parametrize(("scale", "margin"), [(0.2, 0.3), (1.0, 0.0), (5.0, 1.2)])
def test_the_truth_is_recovered_within_its_errors(scale: float, margin: float) -> None:
    draw = random.Random(7)
    inside = {"scale": 0, "margin": 0}
    for _ in range(60):
        fit = fit_rewards(*simulated(draw, 400, scale, margin))
        inside["scale"] += abs(fit.scale - scale) <= 1.96 * fit.scale_error
        inside["margin"] += abs(fit.margin - margin) <= 1.96 * fit.margin_error
        assert fit.nll < fit.nll_shares
    # 95 % intervals: 57 of 60 are expected, and fewer than 51 have a probability below 1 %
    assert inside["scale"] >= 51 and inside["margin"] >= 51


@pytest.mark.no_cover
def test_a_large_sample_gives_the_truth() -> None:
    fit = fit_rewards(*simulated(random.Random(1), 8_000, 2.0, 0.8))
    assert fit.scale == pytest.approx(2.0, rel=0.06)
    assert fit.margin == pytest.approx(0.8, rel=0.06)


@pytest.mark.parametrize(
    ("differences", "truths", "problem"),
    [
        ([1.0] * 99, [FIRST] * 99, "99 pairs are too few"),
        ([0.0] * 100, [FIRST] * 100, "equal values"),
        ([1.0] * 100, [TIE] * 100, "all pairs are ties"),
        ([1.0] * 100, [FIRST] * 100, "sets no bound on confidence"),
        ([1.0] * 100, [FIRST] * 20 + [SECOND] * 80, "does not predict these labels"),
    ],
)
def test_pairs_that_determine_nothing_are_refused(
    differences: list[float], truths: list[Preference], problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        fit_rewards(differences, truths)


def test_values_that_separate_the_outcomes_are_told_apart_from_contradicting_labels() -> None:
    # all ties are closer than the closest decided pair, and every decided pair is right
    differences = [4.0, -4.0, 1.5, -0.5, 0.0] * 30
    truths = [FIRST, SECOND, FIRST, TIE, TIE] * 30
    with pytest.raises(ValueError, match="without an error"):
        fit_rewards(differences, truths)
    errors = [-0.5, 0.2, 2.0] * 5
    assert fit_rewards([*differences, *errors], [*truths, *[FIRST, FIRST, TIE] * 5]).scale > 0
