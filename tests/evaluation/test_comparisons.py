"""Strengths with covariates: against the tournament's fit and scipy, and coverage of both intervals."""

import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import minimize

from judgestream.core import bradley_terry
from judgestream.core.preference import Preference
from judgestream.evaluation.comparisons import (
    Comparison,
    _derivatives,
    _mode,
    _rows,
    strengths,
)
from tests.evaluation.simulate_biases import BATTLES, battles

FIRST, TIE, SECOND = Preference


def plain(comparisons: list[Comparison]) -> list[Comparison]:
    return [replace(one, covariates=()) for one in comparisons]


def test_without_covariates_it_is_the_tournaments_model() -> None:
    drawn = plain(battles(np.random.default_rng(1), BATTLES, prompts=80))
    systems = len(BATTLES.strengths)
    found = strengths(systems, drawn)
    other = bradley_terry.fit(
        systems,
        [
            bradley_terry.Comparison(
                first=one.first,
                second=one.second,
                win=one.outcome is FIRST,
                tie=one.outcome is TIE,
                lose=one.outcome is SECOND,
            )
            for one in drawn
        ],
    )
    assert found is not None
    assert [one.value for one in found.systems] == pytest.approx(list(other.means), abs=1e-8)
    assert found.tie == pytest.approx(other.tie, abs=1e-8)


def test_with_covariates_it_is_the_mode_that_scipy_finds() -> None:
    drawn = battles(np.random.default_rng(2), BATTLES, prompts=60)
    systems = len(BATTLES.strengths)

    def loss(point: NDArray[np.float64]) -> float:
        total = float((point**2).sum()) / 8
        for one in drawn:
            half = (point[one.first] - point[one.second]) / 2
            half += float(np.dot(one.covariates, point[systems + 1 :])) / 2
            weights = {FIRST: half, TIE: point[systems], SECOND: -half}
            total += np.logaddexp.reduce(list(weights.values())) - weights[one.outcome]
        return total

    best = minimize(loss, np.zeros(systems + 3), method="BFGS", options={"gtol": 1e-7}).x
    found = strengths(systems, drawn, covariates=2)
    assert found is not None
    assert [one.value for one in found.coefficients] == pytest.approx(best[-2:], abs=1e-4)
    centred = best[:systems] - best[:systems].mean()
    assert [one.value for one in found.systems] == pytest.approx(centred, abs=1e-4)


def test_exchanging_the_sides_changes_nothing() -> None:
    drawn = battles(np.random.default_rng(3), BATTLES, prompts=40)
    mirrored = [
        replace(
            one,
            first=one.second,
            second=one.first,
            outcome=one.outcome.mirrored,
            covariates=tuple(-x for x in one.covariates),
        )
        for one in drawn
    ]
    one, other = (strengths(5, rows, covariates=2) for rows in (drawn, mirrored))
    assert one is not None and other is not None
    pairs = zip(
        (*one.systems, *one.coefficients), (*other.systems, *other.coefficients), strict=True
    )
    for a, b in pairs:
        assert a.value == pytest.approx(b.value, abs=1e-8)
        assert a.interval is not None and b.interval is not None
        assert a.interval.low == pytest.approx(b.interval.low, abs=1e-6)


def test_who_always_wins_is_finite_and_uncertain() -> None:
    rows = [Comparison(first=0, second=1, outcome=FIRST, cluster=k) for k in range(50)]
    found = strengths(2, rows)
    assert found is not None
    best = found.systems[0]
    assert 1.0 < best.value < 8.0
    assert best.interval is not None and best.interval.high - best.interval.low > 1.0
    odd = [replace(one, outcome=(FIRST, SECOND)[k % 2]) for k, one in enumerate(rows)]
    extreme = strengths(2, rows * 200)
    even = strengths(2, odd)
    assert extreme is not None and even is not None
    assert abs(even.systems[0].value) < 1e-6 < extreme.systems[0].value < 50


@given(st.integers(0, 10_000), st.sampled_from(["even", "ordered", "ties", "nearly ordered"]))
@settings(max_examples=60)
def test_the_mode_is_found_however_one_sided_the_outcomes_are(seed: int, kind: str) -> None:
    """Covariates of any size, and systems that always win: the gradient vanishes."""
    draw = random.Random(seed)
    count, covariates = draw.randint(2, 6), draw.randint(0, 2)
    rows = []
    for number in range(draw.choice([1, 5, 50])):
        a, b = draw.sample(range(count), 2)
        outcome = {
            "even": draw.choice(list(Preference)),
            "ordered": FIRST if a < b else SECOND,
            "ties": TIE,
            "nearly ordered": draw.choices(list(Preference), [0.98, 0.01, 0.01])[0],
        }[kind]
        size = draw.choice([1.0, 50.0])
        x = tuple(draw.gauss(0.0, size) for _ in range(covariates))
        rows.append(Comparison(first=a, second=b, outcome=outcome, cluster=number, covariates=x))
    grouped = _rows(rows)
    point, _ = _mode(grouped, count, [0.0] * (count + 1 + covariates))
    gradient, _ = _derivatives(grouped, count, point)
    assert max(map(abs, gradient)) < 1e-6 * len(rows)


def test_groups_that_never_met_are_counted() -> None:
    rows = [
        Comparison(first=a, second=b, outcome=FIRST, cluster=k)
        for k, (a, b) in enumerate([(0, 1), (2, 3), (1, 0)])
    ]
    found = strengths(4, rows)
    assert found is not None and found.groups == 2


def test_edges() -> None:
    assert strengths(3, []) is None
    one = Comparison(first=0, second=1, outcome=TIE, cluster="p")
    alone = strengths(2, [one, one])
    assert alone is not None and alone.systems[0].interval is None
    assert strengths(2, [one, one], resamples=40) == alone
    with pytest.raises(ValueError, match="does not fit 2 systems and 1 covariates"):
        strengths(2, [one], covariates=1)
    with pytest.raises(ValueError, match="does not fit 1 systems"):
        strengths(1, [one])


@pytest.mark.no_cover
def test_the_bootstrap_agrees_with_the_closed_form() -> None:
    drawn = battles(np.random.default_rng(4), BATTLES, prompts=80)
    closed, drawn_again = (
        strengths(5, drawn, covariates=2, resamples=resamples, seed=1) for resamples in (0, 60)
    )
    assert closed is not None and drawn_again is not None
    for a, b in zip(closed.systems, drawn_again.systems, strict=True):
        assert a.interval is not None and b.interval is not None
        assert b.interval.method == "percentile bootstrap of clusters"
        ratio = (b.interval.high - b.interval.low) / (a.interval.high - a.interval.low)
        assert 0.6 < ratio < 1.3
