"""What an unreadable order counts as, under every rule."""

import pytest

from judgestream.core.preference import Preference
from judgestream.evaluation.order_rules import INCONSISTENT, OrderRule, Outcome
from judgestream.evaluation.unreadable import UnreadableRule, outcome

A, T, B = Preference.FIRST, Preference.TIE, Preference.SECOND


@pytest.mark.parametrize(
    ("rule", "unreadable", "expected"),
    [
        (OrderRule.MT_BENCH, UnreadableRule.TIE, T),  # a win and a tie are a tie
        (OrderRule.MT_BENCH, UnreadableRule.WRONG, INCONSISTENT),
        (OrderRule.MT_BENCH, UnreadableRule.DROPPED, None),
        (OrderRule.JUDGEBENCH, UnreadableRule.TIE, A),  # adds 0: the other order decides
        (OrderRule.JUDGEBENCH, UnreadableRule.UNSCORED, None),
        (OrderRule.AUTO_J, UnreadableRule.TIE, INCONSISTENT),
        (OrderRule.STRAIGHT, UnreadableRule.WRONG, A),  # only the straight order is asked
        (OrderRule.AVERAGED, UnreadableRule.TIE, T),
        (OrderRule.AVERAGED, UnreadableRule.WRONG, INCONSISTENT),
        (OrderRule.AVERAGED, UnreadableRule.DROPPED, None),
    ],
)
def test_a_pair_whose_swapped_order_was_not_read(
    rule: OrderRule, unreadable: UnreadableRule, expected: Outcome
) -> None:
    assert outcome(rule, A, None, unreadable) == expected


@pytest.mark.parametrize("unreadable", UnreadableRule)
def test_readable_orders_are_not_affected(unreadable: UnreadableRule) -> None:
    assert outcome(OrderRule.MT_BENCH, A, A, unreadable) == A
    assert outcome(OrderRule.MT_BENCH, A, B, unreadable) == T
    assert outcome(OrderRule.AUTO_J, A, B, unreadable) == INCONSISTENT
    assert outcome(OrderRule.AVERAGED, A, B, unreadable, averaged=B) == B
