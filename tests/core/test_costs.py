"""Prices, budgets and costs, worked by hand."""

import pytest

from judgestream.core.costs import Budget, Prices, Spent, Terms, dollars, total_cost
from judgestream.core.errors import ConfigurationError

PRICES = Prices(per_million_in=3.0, per_million_out=15.0)


def test_the_cost_is_tokens_times_the_price_per_million() -> None:
    # 2,000 * 3 / 1e6 + 100 * 15 / 1e6
    assert PRICES.cost(2_000, 100) == pytest.approx(0.0075)
    assert Prices().cost(2_000, 100) == 0.0


def test_the_total_adds_what_is_known() -> None:
    assert total_cost([0.25, None, 0.5]) == 0.75
    assert total_cost([None, None]) is None
    assert total_cost([]) is None
    assert total_cost([0.0]) == 0.0


@pytest.mark.parametrize(
    ("budget", "spent", "says"),
    [
        (Budget(), Spent(today=1e9, total=1e9), ""),
        (Budget(per_day=2), Spent(today=1.99, total=50), ""),
        (Budget(per_day=2), Spent(today=2.0, total=50), "$2.00 of $2.00 per day"),
        (Budget(total=50), Spent(today=0, total=50.5), "$50.50 of $50.00 in total"),
        # both are reached: midnight would not help
        (Budget(per_day=2, total=50), Spent(today=3, total=51), "in total"),
        (Budget(per_day=0.001), Spent(today=0.00123), "$0.00123 of $0.001 per day"),
    ],
)
def test_a_budget_names_the_limit_that_is_reached(budget: Budget, spent: Spent, says: str) -> None:
    told = budget.exhausted(spent)
    assert says in told and bool(told) == bool(says)


@pytest.mark.parametrize(
    ("budget", "shares"),
    [
        (Budget(), {}),
        (Budget(per_day=2), {"today": 0.75}),
        (Budget(total=50), {"total": 1.02}),
        (Budget(per_day=2, total=50), {"today": 0.75, "total": 1.02}),
    ],
)
def test_each_limit_has_its_share_spent(budget: Budget, shares: dict[str, float]) -> None:
    assert budget.shares(Spent(today=1.5, total=51)) == pytest.approx(shares)


def test_terms_survive_a_model_configuration() -> None:
    terms = Terms(prices=PRICES, budget=Budget(per_day=0.1, total=1e-7))
    assert Terms.of(terms.parameters()) == terms
    assert Terms.of({"family": "judgelm"}) == Terms()


@pytest.mark.parametrize(
    "parameters",
    [
        {"price_in": "cheap"},
        {"price_in": "-1"},
        {"price_out": "nan"},
        {"price_in": "1", "budget_total": "inf"},
        {"budget_per_day": "5"},  # nothing would be counted
    ],
)
def test_terms_that_would_count_wrongly_are_refused(parameters: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError):
        Terms.of(parameters)


def test_small_amounts_keep_their_digits() -> None:
    assert [dollars(amount) for amount in (0.0, 0.000642, 1.5, 12345.678)] == [
        "$0.00",
        "$0.000642",
        "$1.50",
        "$12,345.68",
    ]
