"""The orders in which a mode shows a request's candidates, by the request's `Orders` option."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from judgestream.core.types import Orders

Order = tuple[int, ...]
"""As in `Transform.order`."""


def straight_only(count: int) -> tuple[Order, ...]:
    """The request's order, so half the cost of `both_directions` for a pair."""
    return (tuple(range(count)),)


def both_directions(count: int) -> tuple[Order, ...]:
    """The request's order and its reverse, once where they are the same."""
    straight = tuple(range(count))
    return (straight, straight[::-1]) if count > 1 else (straight,)


def rotations(count: int) -> tuple[Order, ...]:
    """The request's order and each of its rotations: every candidate stands at every position once."""
    straight = tuple(range(count))
    return tuple(straight[k:] + straight[:k] for k in range(count))


DIRECTIONS: Mapping[Orders, Callable[[int], Sequence[Order]]] = MappingProxyType(
    {
        Orders.BOTH: both_directions,
        Orders.STRAIGHT: straight_only,
        Orders.ROTATIONS: rotations,
    }
)
