"""The rows of the table, and items of verdicts."""

from dataclasses import replace

import pytest

from judgestream.core.preference import Preference
from judgestream.core.types import Status
from judgestream.evaluation.gate import GUARDS, Judgement, PairedItem
from tests.evaluation.gate.items import FIRST, UNREAD, item, judged

RIGHT, WRONG = judged(True), judged(False)
TIED = replace(RIGHT, outcome=Preference.TIE)
FLIPPED = judged(True, consistent=False)
FAILED = Judgement(status=Status.FAILED)
BOTH, SAME = (1.0, 1.0), (0.0, 0.0)


def observed(guard: str, new: Judgement, old: Judgement, **changes: object) -> object:
    one: PairedItem = replace(item(new, old, 0), **changes)  # type: ignore[arg-type]
    return GUARDS[guard].numbers(one)


def test_a_verdict_that_is_not_scored_is_not_right() -> None:
    assert observed("labels", RIGHT, WRONG) == (1.0, 0.0)
    assert observed("labels", UNREAD, RIGHT) == (0.0, 1.0)
    assert observed("labels", FAILED, TIED) == SAME
    assert observed("labels", TIED, RIGHT, label=Preference.TIE) == (1.0, 0.0)
    assert observed("labels", RIGHT, RIGHT, label=None) is None


def test_known_answers_count_for_their_guard_alone_where_both_judges_may_fail() -> None:
    assert observed("known_answers", RIGHT, WRONG) is None
    assert observed("known_answers", WRONG, RIGHT, known=(True, False)) == (1.0, 0.0)
    assert observed("known_answers", RIGHT, RIGHT, known=(True, None)) is None
    others = [name for name in GUARDS if name != "known_answers"]
    assert [observed(name, RIGHT, WRONG, known=(True, True)) for name in others] == [None] * 8


def test_a_verdict_that_is_not_scored_is_not_consistent() -> None:
    assert observed("consistency", FLIPPED, RIGHT) == (0.0, 1.0)
    assert observed("consistency", UNREAD, FAILED) == SAME
    assert observed("consistency", FAILED, RIGHT) == (0.0, 1.0)


def test_consistency_is_of_two_orders() -> None:
    one_order = replace(RIGHT, consistent=None, lean=None)
    assert observed("consistency", one_order, one_order) is None
    assert observed("consistency", one_order, RIGHT) is None
    assert observed("consistency", FAILED, FAILED) is None


def test_leans_are_of_verdicts_that_both_judges_scored() -> None:
    assert observed("position", FLIPPED, RIGHT) == (1.0, 0.0)
    assert observed("position", UNREAD, FLIPPED) is None
    assert observed("length", RIGHT, WRONG) == (1.0, -1.0)
    assert observed("length", TIED, WRONG) == (0.0, -1.0)
    assert observed("length", RIGHT, WRONG, longer=FIRST.mirrored) == (-1.0, 1.0)
    assert observed("length", RIGHT, WRONG, longer=Preference.TIE) is None
    assert observed("format", RIGHT, WRONG) == (-1.0, 1.0)
    assert observed("format", RIGHT, UNREAD) is None
    assert observed("format", RIGHT, WRONG, formatted=None) is None


def test_unscored_and_failed_verdicts_count_against_the_judge() -> None:
    assert observed("scored", RIGHT, WRONG) == BOTH
    assert observed("scored", UNREAD, FAILED) == SAME


@pytest.mark.parametrize(
    ("new", "old", "saved"),
    [(1.0, 2.0, 0.5), (2.0, 1.0, -0.5), (1.25, 1.0, -0.2), (0.0, 0.0, 0.0), (0.0, 3.0, 1.0)],
)
def test_time_and_money_are_saved_as_a_share_of_the_larger(
    new: float, old: float, saved: float
) -> None:
    fast, slow = (replace(RIGHT, latency_s=x, cost=x) for x in (new, old))
    assert observed("latency", fast, slow) == observed("cost", fast, slow) == (saved, 0.0)


@pytest.mark.parametrize("number", [None, float("nan"), float("inf"), -1.0])
def test_a_cost_that_is_not_a_cost_is_left_out(number: float | None) -> None:
    assert observed("cost", replace(RIGHT, cost=number), RIGHT) is None
    assert observed("latency", RIGHT, replace(RIGHT, latency_s=number)) is None


@pytest.mark.parametrize("guard", GUARDS)
def test_exchanging_the_judges_changes_the_sign(guard: str) -> None:
    slower = replace(WRONG, latency_s=3.0, cost=2.0)
    for new, old in ((RIGHT, slower), (FLIPPED, UNREAD), (TIED, FAILED)):
        both = (item(*pair, 0) for pair in ((new, old), (old, new)))
        there, back = (GUARDS[guard].observe(one) for one in both)
        if there is None:
            assert back is None
        else:
            assert GUARDS[guard].gain(there) == -GUARDS[guard].gain(back)  # type: ignore[arg-type]
