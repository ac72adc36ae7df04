"""Coverage of a tournament's intervals, with fewer rounds than the tables of docs/design/statistics.md."""

import numpy as np
import pytest

from tests.evaluation.simulate_tournaments import Design, simulated


@pytest.mark.parametrize("spread", [0.5, 2.0])
@pytest.mark.parametrize("design", [Design(candidates=4), Design(candidates=8, pairs=12)], ids=str)
def test_intervals_hold_the_true_strengths(design: Design, spread: float) -> None:
    found = simulated(design, spread, 40, np.random.default_rng(3))
    # 160 and 320 strengths, which of one tournament depend on each other
    assert found.covered >= 0.88


@pytest.mark.no_cover
def test_p_best_is_calibrated_where_strengths_are_as_spread_as_the_prior() -> None:
    found = simulated(Design(candidates=4), 2.0, 150, np.random.default_rng(4))
    assert found.claimed == pytest.approx(found.right, abs=0.12)
