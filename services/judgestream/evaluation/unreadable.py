"""Rules for an order that could not be read: published benchmarks differ, and so do their figures."""

from enum import StrEnum

from judgestream.core.preference import Preference
from judgestream.evaluation.order_rules import INCONSISTENT, RULES, OrderRule, Outcome


class UnreadableRule(StrEnum):
    """
    tie        the order counts as a tie, then the rule of both orders applies (JudgeBench, PandaLM)
    wrong      the pair is wrong, whatever the label (From Calculation to Adjudication)
    dropped    the pair leaves the sample, as MT-Bench's rows with an error do; only their number is given
    unscored   the pair has no outcome, and is counted beside the rates: judgestream's own rule
    """

    TIE = "tie"
    WRONG = "wrong"
    DROPPED = "dropped"
    UNSCORED = "unscored"


def outcome(
    rule: OrderRule,
    straight: Preference | None,
    swapped: Preference | None,
    unreadable: UnreadableRule,
    *,
    averaged: Preference | None = None,
) -> Outcome:
    """One outcome of two orders under both rules; None for a pair without one.

    Args:
        straight: and `swapped`: as `order_rules.Rule.settle` takes them.
        averaged: the outcome of the averaged probabilities, for the rule of this name; None if an order could
            not be read.
    """
    if rule is OrderRule.AVERAGED:
        return _replaced(averaged, unreadable)
    orders = (straight,) if rule is OrderRule.STRAIGHT else (straight, swapped)
    if None not in orders:
        return RULES[rule].settle(straight, swapped)
    match unreadable:
        case UnreadableRule.TIE:
            return RULES[rule].settle(
                Preference.TIE if straight is None else straight,
                Preference.TIE if swapped is None else swapped,
            )
        case UnreadableRule.WRONG:
            return INCONSISTENT
    return None


def _replaced(averaged: Preference | None, unreadable: UnreadableRule) -> Outcome:
    if averaged is not None:
        return averaged
    if unreadable is UnreadableRule.TIE:
        return Preference.TIE
    return INCONSISTENT if unreadable is UnreadableRule.WRONG else None
