"""E-values and bounds of a mean: hand-worked values, and the properties that the gate relies on."""

from collections import Counter
from itertools import pairwise
from math import exp, inf, log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judgestream.evaluation.sequential import (
    BETS,
    MOST_UNITS,
    log_e_above,
    lower_bound,
    mean_of,
    mirrored,
    units_needed,
)
from judgestream.evaluation.sequential_magnitude import (
    exchanged,
    lean_units_needed,
    theta_e_values,
    theta_of,
)

VALUES = st.sampled_from([-1.0, -0.5, -1 / 3, 0.0, 0.25, 2 / 3, 1.0])
UNITS = st.dictionaries(VALUES, st.integers(1, 400), min_size=1)
LEANS = st.dictionaries(
    st.tuples(st.sampled_from([-1.0, 0.0, 0.5, 1.0]), st.sampled_from([-1.0, -0.5, 0.0, 1.0])),
    st.integers(1, 300),
    min_size=1,
)
ENDS = (-0.99, -0.5, -0.05, 0.0, 0.05, 0.5, 0.99)


def test_the_wealth_by_hand() -> None:
    """Against a mean of at most 0, one gain and one loss: (1 + k)(1 - k), averaged over the bets."""
    expected = sum(weight * (1 - bet * bet) for bet, weight in BETS.items())
    assert exp(log_e_above({1.0: 1, -1.0: 1}, 0.0)) == pytest.approx(expected)
    # against at most -1/2, a unit of 0 gains k (0 + 1/2) / (1/2) = k
    expected = sum(weight * (1 + bet) for bet, weight in BETS.items())
    assert exp(log_e_above({0.0: 1}, -0.5)) == pytest.approx(expected)


def test_the_weights_are_a_mixture_and_the_bets_never_ruin() -> None:
    assert sum(BETS.values()) == pytest.approx(1)
    assert all(0 < bet < 1 for bet in BETS)


def test_the_expected_wealth_does_not_grow_while_the_mean_is_at_most_the_null() -> None:
    for shares in ({1.0: 0.1, -1.0: 0.13, 0.0: 0.77}, {0.5: 0.4, -0.4: 0.575, 0.0: 0.025}):
        mean = sum(value * share for value, share in shares.items())
        grown = sum(share * exp(log_e_above({value: 1}, mean)) for value, share in shares.items())
        assert grown == pytest.approx(1)
        above = sum(share * exp(log_e_above({v: 1}, mean + 0.1)) for v, share in shares.items())
        assert above < 1


def test_no_units_show_nothing() -> None:
    assert log_e_above({}, 0.0) == pytest.approx(0)
    assert lower_bound(lambda mean: log_e_above({}, mean), 0.05) == -1
    assert lower_bound(theta_e_values({}), 0.05) == -1


def test_units_that_are_all_gains_reach_the_far_end_and_no_further() -> None:
    low = lower_bound(lambda mean: log_e_above({1.0: 10**6}, mean), 0.05)
    assert 0.999 < low < 1
    assert lower_bound(lambda mean: log_e_above({-1.0: 10**6}, mean), 0.05) == -1


@given(UNITS)
def test_the_e_value_falls_as_the_null_rises(units: dict[float, int]) -> None:
    found = [log_e_above(units, mean) for mean in ENDS]
    assert all(one >= other - 1e-9 for one, other in pairwise(found))


@given(LEANS)
def test_the_e_value_of_a_magnitude_falls_as_the_null_rises(
    units: dict[tuple[float, float], int],
) -> None:
    found = [theta_e_values(units)(theta) for theta in ENDS]
    assert all(one >= other - 1e-9 for one, other in pairwise(found))


@given(UNITS, st.sampled_from([0.001, 0.05, 0.3]))
def test_the_interval_contains_the_estimate_and_a_smaller_error_widens_it(
    units: dict[float, int], alpha: float
) -> None:
    low = lower_bound(lambda mean: log_e_above(units, mean), alpha)
    high = -lower_bound(lambda mean: log_e_above(mirrored(units), mean), alpha)
    assert low <= mean_of(units) <= high
    assert lower_bound(lambda mean: log_e_above(units, mean), alpha / 10) <= low


@pytest.mark.no_cover
@given(LEANS, st.sampled_from([0.001, 0.05, 0.3]))
def test_the_interval_of_a_magnitude_contains_the_estimate(
    units: dict[tuple[float, float], int], alpha: float
) -> None:
    low = lower_bound(theta_e_values(units), alpha)
    high = -lower_bound(theta_e_values(exchanged(units)), alpha)
    assert low <= theta_of(units) <= high


@given(st.lists(VALUES, min_size=1, max_size=60), st.randoms(use_true_random=False))
def test_the_order_of_units_is_irrelevant_to_the_last_bit(
    values: list[float], random: object
) -> None:
    shuffled = list(values)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    for mean in (-0.03, 0.0, 0.4):
        assert log_e_above(Counter(values), mean) == log_e_above(Counter(shuffled), mean)


@given(LEANS)
def test_which_side_is_first_is_irrelevant_to_a_magnitude(
    units: dict[tuple[float, float], int],
) -> None:
    mirror = {(-x, -y): count for (x, y), count in units.items()}
    for theta in ENDS:
        assert theta_e_values(mirror)(theta) == pytest.approx(theta_e_values(units)(theta))
    assert theta_of(mirror) == pytest.approx(theta_of(units))
    assert theta_of(exchanged(units)) == pytest.approx(-theta_of(units))


def test_a_lean_to_the_other_side_is_no_less_a_lean() -> None:
    """Always toward the first against always toward the second: the magnitudes are equal."""
    units = {(1.0, -1.0): 2000}
    assert theta_of(units) == 0
    low, high = (lower_bound(theta_e_values(side), 0.05) for side in (units, exchanged(units)))
    assert -0.05 < low <= 0 and low == high


def test_the_number_of_units_needed_grows_with_discordance_and_falls_with_the_margin() -> None:
    def needed(discordant: int, margin: float) -> int:
        units = {1.0: discordant, -1.0: discordant, 0.0: 2000 - 2 * discordant}
        return units_needed(units, margin, alpha=0.05)

    assert needed(60, 0.05) < needed(60, 0.03) < needed(150, 0.03) < needed(150, 0.02)
    assert needed(0, 0.03) < needed(60, 0.03)


def test_judges_that_never_differ_need_the_units_of_the_best_bet() -> None:
    """(1 + .9 x .03 / .97) ^ n reaches 20 x 19 / 2 at n = 191.1."""
    assert units_needed({}, 0.03, alpha=0.05) == 192
    assert (1 + 0.9 * 0.03 / 0.97) ** 192 > 20 * 19 / 2 > (1 + 0.9 * 0.03 / 0.97) ** 191
    # a lean is halved, and half of an average may be lost
    assert lean_units_needed({}, 0.06, alpha=0.05) == 192 + round(log(2) / log(1 + 0.027 / 0.97))


def test_a_margin_that_no_number_of_units_shows_has_a_finite_answer() -> None:
    assert units_needed({1.0: 1, -1.0: 1}, 1e-9, alpha=0.05) == MOST_UNITS < inf
