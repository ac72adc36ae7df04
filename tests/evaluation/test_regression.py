"""Least squares and ridge: exact fits, and numpy's solution."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from judgestream.evaluation.regression import linear, standardised

NUMBER = st.floats(-10, 10).map(lambda value: round(value, 3))


def test_a_line_is_found_exactly() -> None:
    found = linear([(0.0,), (1.0,), (2.0,), (4.0,)], [1.0, 3.0, 5.0, 9.0])
    assert found and found.intercept == pytest.approx(1.0)
    assert found.slopes == pytest.approx((2.0,)) and found.r2 == pytest.approx(1.0)


def test_too_few_rows_and_collinear_features_have_no_fit_without_a_penalty() -> None:
    assert linear([(1.0, 2.0), (2.0, 1.0)], [1.0, 2.0]) is None
    twice = [(x, 2 * x) for x in (1.0, 2.0, 3.0, 5.0)]
    assert linear(twice, [1.0, 2.0, 3.0, 4.0]) is None
    found = linear(twice, [1.0, 2.0, 3.0, 4.0], ridge=0.1)
    assert found and found.slopes[1] == pytest.approx(2 * found.slopes[0])
    assert linear([], []) is None


@given(st.lists(st.tuples(NUMBER, NUMBER, NUMBER), min_size=5, max_size=20), st.floats(0.1, 10))
def test_the_ridge_fit_is_numpys(rows: list[tuple[float, float, float]], ridge: float) -> None:
    x, y = np.array([row[:2] for row in rows]), np.array([row[2] for row in rows])
    centred = x - x.mean(0)
    expected = np.linalg.solve(centred.T @ centred + ridge * np.eye(2), centred.T @ (y - y.mean()))
    found = linear([row[:2] for row in rows], y.tolist(), ridge=ridge)
    assert found and found.slopes == pytest.approx(expected.tolist(), abs=1e-6)


def test_a_standardised_column_has_mean_0_and_deviation_1() -> None:
    assert standardised([1.0, 3.0]) == [-1.0, 1.0]
    assert standardised([2.0, 2.0]) == [0.0, 0.0]
