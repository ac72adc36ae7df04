"""Ratings of models: worked by hand, and properties."""

from math import log10

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judgestream.core.preference import Preference
from judgestream.evaluation.ratings import ANCHOR, ANCHORED, Battle, bradley_terry, elo, solved

A, T, B = Preference.FIRST, Preference.TIE, Preference.SECOND


def battles(first: str, second: str, *outcomes: Preference) -> list[Battle]:
    return [Battle(first=first, second=second, outcome=one) for one in outcomes]


def test_elo_moves_by_the_surprise() -> None:
    # 1000 against 1000: expected 1/2, so the winner gains 2; then 1002 against 998 and a tie
    found = elo(battles("x", "y", A, T))
    expected = 1 / (1 + 10 ** (-4 / 400))
    assert found["x"] == pytest.approx(1002 + 4 * (0.5 - expected))
    assert found["x"] + found["y"] == pytest.approx(2000)


def test_bradley_terry_of_two_models_is_the_log_of_the_odds() -> None:
    # x wins 3 of 4: odds 3, so 400 log10(3) apart; the mean is 1000
    found = bradley_terry(battles("x", "y", A, A, A, B))
    assert found["x"] - found["y"] == pytest.approx(400 * log10(3), abs=0.1)
    assert found["x"] + found["y"] == pytest.approx(2000)
    # two wins and two ties are 3 of 4 as well
    assert bradley_terry(battles("x", "y", A, A, T, T)) == pytest.approx(found)


def test_the_anchor_has_its_own_rating_and_a_model_that_always_wins_a_finite_one() -> None:
    found = bradley_terry([*battles(ANCHOR, "y", A, B), *battles("z", "y", *[A] * 9)])
    assert found[ANCHOR] == pytest.approx(ANCHORED)
    assert found["y"] == pytest.approx(ANCHORED, abs=1)
    assert ANCHORED + 400 < found["z"] < ANCHORED + 4000


def test_ratings_of_no_battles_are_none() -> None:
    assert bradley_terry([]) == {} == elo([])


NAMES = st.sampled_from("pqrs")


@given(
    st.lists(
        st.tuples(NAMES, NAMES, st.sampled_from(Preference)).filter(lambda b: b[0] != b[1]),
        max_size=25,
    )
)
def test_bradley_terry_does_not_depend_on_the_order_or_the_sides(
    drawn: list[tuple[str, str, Preference]],
) -> None:
    rows = [Battle(first=a, second=b, outcome=o) for a, b, o in drawn]
    turned = [Battle(first=b, second=a, outcome=o.mirrored) for a, b, o in reversed(drawn)]
    assert bradley_terry(rows) == pytest.approx(bradley_terry(turned), abs=1e-3)


def test_equations_are_solved_with_a_pivot() -> None:
    assert solved([[0.0, 2.0], [1.0, 1.0]], [4.0, 5.0]) == pytest.approx([3.0, 2.0])
    with pytest.raises(ValueError, match="no single solution"):
        solved([[1.0, 1.0], [1.0, 1.0]], [1.0, 2.0])
