"""Transforms: the orders in which a request's candidates are shown, each with its exact inverse."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

T = TypeVar("T")

_REFERENCE = "+reference"
_CRITERION = "/"
_ORDER = re.compile(r"order-(\d{1,3}(?:-\d{1,3})+)", re.ASCII)


@dataclass(frozen=True, kw_only=True, slots=True)
class Transform:
    """Show the candidates in `order`, with or without the reference. It identifies a pass.

    `order[position]` is the request's index of the candidate shown at that position. `criterion` is the id of
    the rubric's criterion that the pass is about; "" without a rubric.
    """

    order: tuple[int, ...]
    with_reference: bool = False
    criterion: str = ""

    def __post_init__(self) -> None:
        if sorted(self.order) != list(range(len(self.order))):
            raise ValueError(f"order {self.order} is not a permutation of the candidates' indices")

    @property
    def straight(self) -> bool:
        """Whether the candidates are shown in the request's order."""
        return self.order == tuple(range(len(self.order)))

    @property
    def reversed(self) -> "Transform":
        """The pass that shows the same candidates last to first, and is the same otherwise."""
        return replace(self, order=self.order[::-1])

    @property
    def name(self) -> str:
        """The pass's name on the wire and in messages; `from_name` is the inverse.

        `straight` and `swapped` for one or two candidates, the order itself for more (`order-2-0-1`), each
        with `+reference` if the reference is shown, and with the criterion (`straight/accuracy`).
        """
        if not self.order:
            order = "unknown"
        elif len(self.order) > 2:
            order = "-".join(("order", *map(str, self.order)))
        else:
            order = "straight" if self.straight else "swapped"
        shown = f"{order}{_REFERENCE}" if self.with_reference else order
        return f"{shown}{_CRITERION}{self.criterion}" if self.criterion else shown

    @classmethod
    def from_name(cls, name: str, candidates: int) -> "Transform":
        """The transform with that `name`, on a verdict about that number of candidates.

        `UNKNOWN` for any other name: a newer version may have published it.
        """
        shown, _, criterion = name.partition(_CRITERION)
        order_name = shown.removesuffix(_REFERENCE)
        with_reference = order_name != shown
        order: tuple[int, ...] = ()
        if order_name == "straight":
            order = tuple(range(candidates))
        elif order_name == "swapped":
            order = (1, 0)
        elif match := _ORDER.fullmatch(order_name):
            order = tuple(map(int, match[1].split("-")))
        try:
            transform = cls(order=order, with_reference=with_reference, criterion=criterion)
        except ValueError:
            return UNKNOWN
        return transform if order and transform.name == name else UNKNOWN

    def apply(self, items: Sequence[T]) -> tuple[T, ...]:
        """The items in the order that the judge sees."""
        return tuple(items[index] for index in self.order)

    def invert(self, shown: Sequence[T]) -> tuple[T, ...]:
        """The inverse of `apply`: items by shown position -> in the request's order."""
        items: list[T] = list(shown)
        for position, index in enumerate(self.order):
            items[index] = shown[position]
        return tuple(items)


STRAIGHT = Transform(order=(0, 1))
SWAPPED = Transform(order=(1, 0))
UNKNOWN = Transform(order=())
"""Of a published pass whose name this version cannot read. It has no reversed pass."""
