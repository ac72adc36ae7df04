import random
from itertools import permutations

import pytest

from judgestream.core.transforms import STRAIGHT, SWAPPED, Transform
from judgestream.core.types import Reading
from tests.core.build import UNREAD

ORDERS = [order for n in (1, 2, 3, 4) for order in permutations(range(n))]


@pytest.mark.parametrize("order", ORDERS, ids=str)
def test_hide_is_the_exact_inverse_of_show(order: tuple[int, ...]) -> None:
    transform = Transform(order=order)
    items = [f"answer {k}" for k in order]
    random.Random(len(order)).shuffle(items)
    assert transform.hide(transform.show(items)) == tuple(items)
    assert transform.show(transform.hide(items)) == tuple(items)


def test_show_puts_the_named_candidate_at_each_position() -> None:
    # position 0 shows candidate 2, position 1 shows 0, position 2 shows 1
    assert Transform(order=(2, 0, 1)).show("abc") == ("c", "a", "b")
    assert Transform(order=(2, 0, 1)).hide("cab") == ("a", "b", "c")


@pytest.mark.parametrize(
    ("transform", "name", "swapped"),
    [
        (STRAIGHT, "straight", False),
        (SWAPPED, "swapped", True),
        (Transform(order=(0, 1), with_reference=True), "straight+reference", False),
        (Transform(order=(1, 0), with_reference=True), "swapped+reference", True),
        (Transform(order=(0,), with_reference=True), "straight+reference", False),
    ],
)
def test_names(transform: Transform, name: str, swapped: bool) -> None:
    assert (transform.name, transform.swapped) == (name, swapped)


SHOWN = Reading(means=(7.5, 4.0), greedy=(8.0, 4.0), win=0.7, tie=0.2, lose=0.1, outside=0.01)


def test_a_straight_reading_is_already_in_the_requests_order() -> None:
    assert STRAIGHT.restore(SHOWN) == SHOWN


def test_a_swapped_reading_is_mirrored() -> None:
    expected = Reading(
        means=(4.0, 7.5), greedy=(4.0, 8.0), win=0.1, tie=0.2, lose=0.7, outside=0.01
    )
    assert SWAPPED.restore(SHOWN) == expected


def test_restoring_a_swap_twice_changes_nothing() -> None:
    draw = random.Random(0)
    for _ in range(50):
        win, tie = draw.random() / 2, draw.random() / 2
        one = Reading(
            means=(draw.uniform(1, 10), draw.uniform(1, 10)),
            greedy=(float(draw.randint(1, 10)), float(draw.randint(1, 10))),
            win=win,
            tie=tie,
            lose=1 - win - tie,
        )
        assert SWAPPED.restore(SWAPPED.restore(one)) == one


def test_an_unreadable_reply_stays_as_it_is() -> None:
    assert SWAPPED.restore(UNREAD) is UNREAD


def test_a_single_score_has_nothing_to_mirror() -> None:
    one = Reading(means=(7.0,), greedy=(7.0,))
    assert Transform(order=(0,)).restore(one) == one


def test_a_permutation_of_three_cannot_be_restored_as_a_swap() -> None:
    with pytest.raises(ValueError, match="two candidates, not 3"):
        Transform(order=(2, 0, 1)).restore(Reading(means=(1.0, 2.0, 3.0), greedy=(1.0, 2.0, 3.0)))
