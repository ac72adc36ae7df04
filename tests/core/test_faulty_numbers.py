"""Numbers that only a faulty server, release or producer states."""

from math import inf, nan

import pytest

from judgestream.core.costs import Budget, Prices, Terms
from judgestream.core.errors import ConfigurationError
from judgestream.core.jury import Juror, JuryRecord, JuryRule
from judgestream.core.parsing import read
from judgestream.core.templates.base import Grammar
from judgestream.core.templates.reward import VALUE
from judgestream.core.types import Reading, Reply, Unreadable

LABELS = ("1", "2")
ONE = Grammar(labels=LABELS, count=1)
PAIR = Grammar(labels=LABELS, count=2)
THREE = Grammar(labels=LABELS, count=3)


@pytest.mark.parametrize(
    ("grammar", "probs"),
    [
        (ONE, (1e308, 1e308)),
        (ONE, (nan, 1.0)),
        (ONE, (1.0, nan)),
        (PAIR, (inf, 0.0, 0.0, 0.0)),
        (PAIR, (2.0, -1.0, 0.0, 0.0)),
        (THREE, (1.0, 2.0, 0.0, 0.0, 0.0, 0.0)),
        (THREE, (0.5, 1.0, 0.5, 1.0, 0.0, 0.0)),
        (THREE, (0.9, 0.9, 0.3, 0.3, 0.3, 0.3)),
    ],
)
def test_probabilities_that_are_no_distribution_are_unreadable(
    grammar: Grammar, probs: tuple[float, ...]
) -> None:
    assert isinstance(read(Reply(text="1", score_probs=probs), grammar), Unreadable)


def test_three_distributions_are_read() -> None:
    reading = read(Reply(text="", score_probs=(1.0, 0.0, 0.5, 0.5, 0.0, 1.0)), THREE)
    assert isinstance(reading, Reading)
    assert reading.means == (1.0, 1.5, 2.0)


@pytest.mark.parametrize(
    "values", [(nan, 0.0), (inf, 0.0), (1e308, 0.0), (0.0, -0.1), (0.0, nan), (0.0, 1e308), (1.0,)]
)
def test_a_value_that_is_not_log_odds_is_unreadable(values: tuple[float, ...]) -> None:
    assert isinstance(read(Reply(text="", score_probs=values), VALUE), Unreadable)


@pytest.mark.parametrize("weight", [nan, inf, 0.0, -1.0, 1e308, 5e-324])
def test_a_weight_that_would_spoil_a_mean_is_refused(weight: float) -> None:
    with pytest.raises(ConfigurationError, match="weight of b is .*: give a number from 1e-06"):
        JuryRecord(
            rule=JuryRule.WEIGHTED,
            members=(Juror(release="a"), Juror(release="b", weight=weight)),
            quorum=1,
        )


@pytest.mark.parametrize(
    "members",
    [
        '[{"release": "a", "weight": 1' + "0" * 400 + "}]",
        '[{"release": "a", "weight": "NaN"}, {"release": "b", "weight": 1}]',
        '{"release": "a"}',
        "7",
        "[" * 100_000,
    ],
)
def test_a_jury_record_that_was_edited_by_hand_is_refused_by_name(members: str) -> None:
    parameters = {"rule": "weighted", "quorum": "1", "members": members}
    with pytest.raises(ConfigurationError, match="jury|the weight of a is nan"):
        JuryRecord.of(parameters)


@pytest.mark.parametrize("price", [nan, inf, -1.0, 1e7])
def test_a_price_or_budget_beyond_reason_is_refused(price: float) -> None:
    with pytest.raises(ConfigurationError, match="price_in is .*: give dollars, 0 to 1,000,000"):
        Terms(prices=Prices(per_million_in=price))
    with pytest.raises(ConfigurationError, match="budget_total is .*: give dollars"):
        Terms(prices=Prices(per_million_in=1.0), budget=Budget(total=price))


def test_negative_token_counts_cost_nothing() -> None:
    prices = Prices(per_million_in=1.0, per_million_out=2.0)
    assert prices.cost(-1_000_000, 500_000) == 1.0
    assert prices.cost(1_000_000, -500_000) == 1.0
