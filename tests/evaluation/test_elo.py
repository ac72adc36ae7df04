"""Elo ratings: worked by hand."""

import pytest

from judgestream.core.preference import Preference
from judgestream.evaluation.elo import elo


def test_ratings_move_by_the_surprise() -> None:
    # 1000 against 1000: expected 1/2, so the winner gains 2; then 1002 against 998 and a tie
    found = elo([("x", "y", Preference.FIRST), ("x", "y", Preference.TIE)])
    expected = 1 / (1 + 10 ** (-4 / 400))
    assert found["x"] == pytest.approx(1002 + 4 * (0.5 - expected))
    assert found["x"] + found["y"] == pytest.approx(2000)
    assert elo([]) == {}
