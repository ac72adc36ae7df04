"""Transforms: the candidates that a pass shows, their order, and the exact inverse of it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

T = TypeVar("T")

_REFERENCE = "+reference"
_CRITERION = "/"
_ORDER = re.compile(r"order-(\d{1,3}(?:-\d{1,3})*)", re.ASCII)


@dataclass(frozen=True, kw_only=True, slots=True)
class Transform:
    """Show candidates in `order`, with or without the reference. It identifies a pass of its request.

    order       `order[position]` is the request's index of the candidate shown at that position; no candidate
                twice
    criterion   what the pass is about, where a mode asks several things: the id of a rubric's criterion, or
                the name of a step. "" where it asks one thing
    partial     the request has further candidates, which this pass does not show
    """

    order: tuple[int, ...]
    with_reference: bool = False
    criterion: str = ""
    partial: bool = False

    def __post_init__(self) -> None:
        if self.partial:
            if len(set(self.order)) != len(self.order) or min(self.order, default=0) < 0:
                raise ValueError(f"order {self.order} is not a choice of distinct candidates")
        elif sorted(self.order) != list(range(len(self.order))):
            raise ValueError(f"order {self.order} is not a permutation of the candidates' indices")

    @property
    def shown(self) -> tuple[int, ...]:
        """The request's indices of the shown candidates, ascending: the order of a restored reading."""
        return tuple(sorted(self.order))

    @property
    def straight(self) -> bool:
        """Whether the candidates are shown in the request's order."""
        return self.order == self.shown

    @property
    def reversed(self) -> "Transform":
        """The pass that shows the same candidates last to first, and is the same otherwise."""
        return replace(self, order=self.order[::-1])

    @property
    def name(self) -> str:
        """The pass's name on the wire and in messages; `from_name` is the inverse.

        `straight` and `swapped` for a request of one or two candidates, the order itself for more
        (`order-2-0-1`), also where the pass shows only some of them (`order-3-1`). Then `+reference` if the
        reference is shown, and the criterion (`straight/accuracy`).
        """
        if not self.order:
            order = "none" if self.partial else "unknown"
        elif self.partial or len(self.order) > 2:
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
        order, partial = _order_of(order_name, candidates)
        try:
            transform = cls(
                order=order,
                with_reference=order_name != shown,
                criterion=criterion,
                partial=partial,
            )
        except ValueError:
            return UNKNOWN
        readable = (order or partial) and transform.name == name
        return transform if readable else UNKNOWN

    def apply(self, items: Sequence[T]) -> tuple[T, ...]:
        """Of one item per candidate: those of the shown candidates, in the order that the judge sees."""
        return tuple(items[index] for index in self.order)

    def invert(self, shown: Sequence[T]) -> tuple[T, ...]:
        """The inverse of `apply`: items by shown position -> in the order of `self.shown`."""
        items = sorted(zip(self.order, shown, strict=True), key=lambda pair: pair[0])
        return tuple(item for _, item in items)


def _order_of(name: str, candidates: int) -> tuple[tuple[int, ...], bool]:
    """The order with that name, and whether it shows only some of the candidates."""
    if name == "straight":
        return tuple(range(candidates)), False
    if name == "swapped":
        return (1, 0), False
    if name == "none":
        return (), True
    match = _ORDER.fullmatch(name)
    if match is None:
        return (), False
    order = tuple(map(int, match[1].split("-")))
    return order, len(order) < candidates and max(order) < candidates


STRAIGHT = Transform(order=(0, 1))
SWAPPED = Transform(order=(1, 0))
UNKNOWN = Transform(order=())
"""Of a published pass whose name this version cannot read. It has no reversed pass."""
