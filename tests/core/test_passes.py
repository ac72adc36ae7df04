"""A reply in the request's candidate order, and passes in reversed orders."""

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judgestream.core.passes import Pass, restored, reversed_pairs
from judgestream.core.templates.base import Grammar
from judgestream.core.transforms import STRAIGHT, SWAPPED, UNKNOWN, Transform
from judgestream.core.types import PassResult, Reading, Reply
from tests.core.build import FIRST, SECOND, UNREAD

SHOWN = Reading(means=(7.5, 4.0), greedy=(8.0, 4.0), win=0.7, tie=0.2, lose=0.1, outside=0.01)
share = st.floats(0, 1)
score = st.floats(1, 10)


def test_a_straight_reading_is_already_in_the_requests_order() -> None:
    assert restored(SHOWN, STRAIGHT) == SHOWN


def test_a_swapped_reading_is_mirrored() -> None:
    expected = Reading(
        means=(4.0, 7.5), greedy=(4.0, 8.0), win=0.1, tie=0.2, lose=0.7, outside=0.01
    )
    assert restored(SHOWN, SWAPPED) == expected


def test_a_choice_has_no_scores_to_restore() -> None:
    choice = Reading(means=(), greedy=(), win=0.7, tie=0.2, lose=0.1)
    assert restored(choice, SWAPPED) == Reading(means=(), greedy=(), win=0.1, tie=0.2, lose=0.7)


@given(
    st.builds(
        Reading,
        means=st.tuples(score, score),
        greedy=st.tuples(score, score),
        win=share,
        tie=share,
        lose=share,
    )
)
def test_restoring_a_swap_twice_changes_nothing(reading: Reading) -> None:
    once = restored(reading, SWAPPED)
    assert restored(once, SWAPPED) == reading


def test_an_unreadable_reply_is_unchanged() -> None:
    assert restored(UNREAD, SWAPPED) is UNREAD


def test_a_single_score_has_nothing_to_mirror() -> None:
    reading = Reading(means=(7.0,), greedy=(7.0,))
    assert restored(reading, Transform(order=(0,))) == reading


@pytest.mark.parametrize("order", list(permutations(range(3))), ids=str)
def test_scores_of_three_candidates_return_to_the_requests_order(order: tuple[int, ...]) -> None:
    transform = Transform(order=order)
    by_candidate = (3.0, 5.0, 9.0)
    shown = Reading(means=transform.apply(by_candidate), greedy=transform.apply((3.0, 4.0, 9.0)))
    assert restored(shown, transform) == Reading(means=by_candidate, greedy=(3.0, 4.0, 9.0))


def test_a_pass_about_two_of_five_mirrors_its_preference() -> None:
    shown = Reading(means=(8.0, 3.0), greedy=(8.0, 3.0), win=0.7, tie=0.2, lose=0.1)
    expected = Reading(means=(3.0, 8.0), greedy=(3.0, 8.0), win=0.1, tie=0.2, lose=0.7)
    assert restored(shown, Transform(order=(4, 1), partial=True)) == expected
    assert restored(shown, Transform(order=(1, 4), partial=True)) == shown


def test_p_best_returns_to_its_candidates() -> None:
    shown = Reading(means=(1.0, 9.0, 5.0), greedy=(1.0, 9.0, 5.0), p_best=(0.0, 0.75, 0.25))
    found = restored(shown, Transform(order=(2, 0, 1)))
    assert isinstance(found, Reading)
    assert found.p_best == (0.75, 0.25, 0.0)


def test_a_preference_is_only_defined_between_two_candidates() -> None:
    reading = Reading(means=(), greedy=(), win=0.7, tie=0.2, lose=0.1)
    with pytest.raises(ValueError, match="two candidates, not 3"):
        restored(reading, Transform(order=(2, 0, 1)))


def test_the_result_of_a_pass_is_in_the_requests_order_with_the_raw_reply() -> None:
    grammar = Grammar(labels=("1", "2", "3"), count=2)
    swapped = Pass(transform=SWAPPED, prompt="p", grammar=grammar)
    reply = Reply(text="3 1")
    result = swapped.result(reply)
    assert (result.transform, result.reply) == (SWAPPED, reply)
    assert isinstance(result.reading, Reading)
    assert result.reading.means == (1.0, 3.0)
    assert (result.reading.win, result.reading.lose) == (0.0, 1.0)


def passes(*transforms: Transform) -> list[PassResult]:
    return [
        PassResult(transform=transform, reading=FIRST, reply=Reply(text=""))
        for transform in transforms
    ]


def pairs(*transforms: Transform) -> list[tuple[Transform, Transform]]:
    found = reversed_pairs(passes(*transforms))
    return [(one.transform, other.transform) for one, other in found]


def test_passes_pair_by_reversed_order_and_the_same_use_of_the_reference() -> None:
    with_reference = Transform(order=(0, 1), with_reference=True)
    assert pairs(STRAIGHT, SWAPPED) == [(STRAIGHT, SWAPPED)]
    assert pairs(SWAPPED, STRAIGHT) == [(STRAIGHT, SWAPPED)]
    assert pairs(with_reference, SWAPPED) == []
    both = (with_reference, with_reference.reversed, STRAIGHT, SWAPPED)
    assert pairs(*both) == [(with_reference, with_reference.reversed), (STRAIGHT, SWAPPED)]


def test_only_reversed_orders_of_three_candidates_pair() -> None:
    order = {name: Transform(order=tuple(map(int, name))) for name in ("012", "201", "102", "210")}
    assert pairs(order["201"], order["102"]) == [(order["102"], order["201"])]
    assert pairs(order["012"], order["201"]) == []
    assert pairs(order["012"], order["210"]) == [(order["012"], order["210"])]


def test_a_lone_candidate_and_an_unknown_transform_have_no_reversed_pass() -> None:
    assert pairs(Transform(order=(0,)), Transform(order=(0,))) == []
    assert pairs(UNKNOWN, UNKNOWN) == []


def test_a_repeated_pass_counts_as_it_was_published_last() -> None:
    first, last = passes(SWAPPED, SWAPPED)
    last = PassResult(transform=SWAPPED, reading=SECOND, reply=Reply(text=""))
    ((_, other),) = reversed_pairs([*passes(STRAIGHT), first, last])
    assert other is last
