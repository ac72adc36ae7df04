"""Factors of benchmarks, and what an overall score depends on."""

import pytest

from judgestream.evaluation.factors import above_chance, factor, weights


def test_guessing_is_worth_nothing_and_less_is_not_worse() -> None:
    assert above_chance(0.25, 0.25) == above_chance(0.1, 0.25) == 0.0
    assert above_chance(0.625, 0.25) == pytest.approx(0.5)
    with pytest.raises(ValueError, match="chance is 1"):
        above_chance(0.5, 1.0)


def test_a_factor_is_the_mean_above_chance() -> None:
    found = factor({"four choices": 0.625, "free": 0.3}, {"four choices": 0.25})
    assert found and found.tasks == 2 and found.value == pytest.approx(0.4)
    assert factor({}, {}) is None


def test_weights_are_correlations_and_a_ridge_fit() -> None:
    style = [0.1, 0.4, 0.6, 0.9]
    safety = [0.9, 0.2, 0.8, 0.4]
    found = weights({"style": style, "safety": safety, "flat": [1.0] * 4}, [2 * s for s in style])
    assert found.correlations["style"] == pytest.approx(1.0)
    assert found.correlations["flat"] is None
    assert found.ridge and found.ridge["style"] > abs(found.ridge["safety"])
    assert found.ridge["flat"] == 0.0 and found.r2 and 0.8 < found.r2 < 1.0
    assert weights({"style": [1.0, 2.0]}, [1.0, 2.0]).ridge is None, "two systems show nothing"
