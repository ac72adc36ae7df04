"""A preference as a sign, and between candidate ids and signs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judgestream.core.preference import Preference


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [(2, 1, Preference.FIRST), (0.5, 0.5, Preference.TIE), (-1, 0, Preference.SECOND)],
)
def test_the_higher_number_is_preferred(first: float, second: float, expected: Preference) -> None:
    assert Preference.between(first, second) is expected
    assert Preference.between(second, first) is expected.mirrored


@pytest.mark.parametrize("preference", Preference)
def test_the_winners_id_gives_the_preference_back(preference: Preference) -> None:
    assert Preference.of_winner(preference.winner(("x", "y")), ("x", "y")) is preference


def test_an_unknown_candidate_id_is_not_a_preference() -> None:
    assert Preference.of_winner("z", ("x", "y")) is None


@given(st.lists(st.sampled_from(Preference)))
def test_preferences_add_up_as_signs(preferences: list[Preference]) -> None:
    count = preferences.count
    assert sum(preferences) == count(Preference.FIRST) - count(Preference.SECOND)
