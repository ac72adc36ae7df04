"""Orders and their inverses, and the name that a pass has on the wire."""

import random
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judgestream.core.transforms import STRAIGHT, SWAPPED, UNKNOWN, Transform

ORDERS = [order for n in range(1, 7) for order in permutations(range(n))]


def test_invert_is_the_exact_inverse_of_apply_for_every_order_of_one_to_six() -> None:
    draw = random.Random(0)
    for order in ORDERS:
        transform = Transform(order=order)
        items = draw.sample(range(100), len(order))
        assert transform.invert(transform.apply(items)) == tuple(items)
        assert transform.apply(transform.invert(items)) == tuple(items)
    assert len(ORDERS) == 1 + 2 + 6 + 24 + 120 + 720


def test_apply_puts_the_named_candidate_at_each_position() -> None:
    # position 0 shows candidate 2, position 1 shows 0, position 2 shows 1
    assert Transform(order=(2, 0, 1)).apply("abc") == ("c", "a", "b")
    assert Transform(order=(2, 0, 1)).invert("cab") == ("a", "b", "c")


NAMES = [
    (STRAIGHT, "straight"),
    (SWAPPED, "swapped"),
    (Transform(order=(0, 1), with_reference=True), "straight+reference"),
    (Transform(order=(1, 0), with_reference=True), "swapped+reference"),
    (Transform(order=(0,)), "straight"),
    (Transform(order=(0,), with_reference=True), "straight+reference"),
    (Transform(order=(0, 1, 2)), "order-0-1-2"),
    (Transform(order=(2, 0, 1)), "order-2-0-1"),
    (Transform(order=(1, 0, 2), with_reference=True), "order-1-0-2+reference"),
    (Transform(order=(0,), criterion="tone"), "straight/tone"),
    (Transform(order=(0,), with_reference=True, criterion="a.b-c"), "straight+reference/a.b-c"),
    (Transform(order=tuple(range(11))), "order-0-1-2-3-4-5-6-7-8-9-10"),
    (Transform(order=(0, 1), criterion="clarity"), "straight/clarity"),
    (Transform(order=(0,), with_reference=True, criterion="a/b+c"), "straight+reference/a/b+c"),
]
PARTIAL_OF_FIVE = [
    (Transform(order=(0, 1), partial=True), "order-0-1"),
    (Transform(order=(3, 1), partial=True), "order-3-1"),
    (Transform(order=(4,), partial=True), "order-4"),
    (Transform(order=(4, 0, 2), partial=True, with_reference=True), "order-4-0-2+reference"),
    (Transform(order=(2, 1, 0), partial=True), "order-2-1-0"),
    (Transform(order=(2,), partial=True, criterion="document"), "order-2/document"),
    (Transform(order=(), partial=True, criterion="query"), "none/query"),
]


@pytest.mark.parametrize(("transform", "name"), NAMES)
def test_the_name_on_the_wire_is_made_and_read_alike(transform: Transform, name: str) -> None:
    assert transform.name == name
    assert Transform.from_name(name, len(transform.order)) == transform


@pytest.mark.parametrize(("transform", "name"), PARTIAL_OF_FIVE)
def test_so_is_that_of_a_pass_that_shows_some_of_the_candidates(
    transform: Transform, name: str
) -> None:
    assert transform.name == name
    assert Transform.from_name(name, 5) == transform


def test_a_partial_pass_restores_to_the_ascending_order_of_those_it_shows() -> None:
    transform = Transform(order=(3, 0, 2), partial=True)
    assert transform.shown == (0, 2, 3)
    assert transform.apply("abcd") == ("d", "a", "c")
    assert transform.invert("dac") == ("a", "c", "d")
    assert not transform.straight
    assert Transform(order=(1, 3), partial=True).straight
    assert Transform(order=(1, 3), partial=True).reversed == Transform(order=(3, 1), partial=True)


@pytest.mark.parametrize("order", [(1, 1), (-1, 0), (0, 2, 0)])
def test_a_partial_pass_shows_no_candidate_twice(order: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="distinct candidates"):
        Transform(order=order, partial=True)


@pytest.mark.parametrize(
    "name", ["order-5", "order-0-5", "order-1-1", "order-0-1-2-3-4-4", "none+"]
)
def test_a_name_that_fits_no_verdict_on_five_is_unknown(name: str) -> None:
    assert Transform.from_name(name, 5) == UNKNOWN


def test_different_transforms_of_the_same_candidates_have_different_names() -> None:
    for n in range(1, 7):
        transforms = [
            Transform(order=order, with_reference=reference, criterion=criterion)
            for order in permutations(range(n))
            for reference in (False, True)
            for criterion in ("", "tone", "+reference")
        ]
        assert len({transform.name for transform in transforms}) == len(transforms)
        assert [Transform.from_name(one.name, n) for one in transforms] == transforms


UNREADABLE = [
    *("", "+", "+reference", "Straight", "swapped+", "straight+reference+reference"),
    *("order-", "order-2", "order-0-1", "order-1-0", "order-0-0-1", "order-0-1-3", "order-0-1-"),
    *("order-00-1-2", "order-2-0-1+", "unknown", "unknown+reference", "straight+rubric"),
    "order-" + "-".join(map(str, range(2000))),
]


@pytest.mark.parametrize("name", UNREADABLE, ids=lambda name: name[:40])
def test_a_name_of_another_version_is_unknown(name: str) -> None:
    assert Transform.from_name(name, 2) == UNKNOWN


@given(st.text(alphabet="order-0123456789+ferncstaighwpd", max_size=30), st.integers(1, 6))
def test_any_name_is_read_without_an_error(name: str, candidates: int) -> None:
    transform = Transform.from_name(name, candidates)
    assert transform == UNKNOWN or transform.name == name


@pytest.mark.parametrize("order", [(0, 0), (1,), (0, 2), (-1, 0), (1, 2, 3)], ids=str)
def test_an_order_names_every_candidate_once(order: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="not a permutation"):
        Transform(order=order)


def test_the_reversed_transform_shows_the_candidates_last_to_first() -> None:
    assert STRAIGHT.reversed == SWAPPED
    assert SWAPPED.reversed == STRAIGHT
    transform = Transform(order=(2, 0, 1), with_reference=True)
    assert transform.reversed == Transform(order=(1, 0, 2), with_reference=True)
    for order in ORDERS:
        assert Transform(order=order).reversed.reversed == Transform(order=order)
