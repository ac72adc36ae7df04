"""Published rules that combine the preferences of both candidate orders into one outcome.

The rule changes the headline number: Auto-J's test set gives 59.99 % by the first order alone and 54.96 % if
both orders must be right. So a figure names its rule.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from judgestream.core.preference import Preference

INCONSISTENT = "inconsistent"
"""The outcome of two contradicting orders under a rule that does not make them a tie. It equals no label,
so it is never right."""

Outcome = Preference | str | None


class OrderRule(StrEnum):
    AVERAGED = "averaged"
    STRAIGHT = "straight"
    MT_BENCH = "mt-bench"
    JUDGEBENCH = "judgebench"
    AUTO_J = "auto-j"


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """`settle(straight, swapped)` gives a preference, `INCONSISTENT`, or None for what is left out.

    Both arguments are in candidate order (the swapped order restored), None for an order that was not read.
    """

    name: OrderRule
    meaning: str
    settle: Callable[[Preference | None, Preference | None], Outcome]


def _straight(straight: Preference | None, _: Preference | None) -> Outcome:
    return straight


def _mt_bench(straight: Preference | None, swapped: Preference | None) -> Outcome:
    if straight is None or swapped is None:
        return None
    return straight if straight == swapped else Preference.TIE


def _judgebench(straight: Preference | None, swapped: Preference | None) -> Outcome:
    if straight is None and swapped is None:
        return INCONSISTENT
    counter = (straight or 0) + (swapped or 0)
    return Preference.between(counter, 0)


def _auto_j(straight: Preference | None, swapped: Preference | None) -> Outcome:
    if straight is None or swapped is None:
        return None
    return straight if straight == swapped else INCONSISTENT


_ROWS = (
    Rule(
        name=OrderRule.STRAIGHT,
        meaning="the order as given alone (JudgeLM's agreement, Auto-J's first order)",
        settle=_straight,
    ),
    Rule(
        name=OrderRule.MT_BENCH,
        meaning="a win if both orders agree on it, else a tie; excluded if an order is unreadable",
        settle=_mt_bench,
    ),
    Rule(
        name=OrderRule.JUDGEBENCH,
        meaning="sign of the orders' sum: win and tie make a win, win and loss a tie; unreadable counts 0",
        settle=_judgebench,
    ),
    Rule(
        name=OrderRule.AUTO_J,
        meaning="both orders must agree, else the outcome is wrong whatever the label",
        settle=_auto_j,
    ),
)
RULES: Mapping[OrderRule, Rule] = MappingProxyType({row.name: row for row in _ROWS})
"""Every rule but `AVERAGED`, which is the verdict itself: the orders' probabilities, averaged. Sources:
arXiv 2306.05685 (FastChat `show_result.py`), 2410.12784, 2310.05470, 2310.17631."""
