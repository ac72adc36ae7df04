"""The rewritings that turn one request into passes, each with its exact inverse."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from judgestream.core.types import Reading, Unreadable

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class Transform:
    """Show the candidates in `order`, with or without the reference.

    `order[position]` is the request's index of the candidate shown at that position.
    """

    order: tuple[int, ...]
    with_reference: bool = False

    @property
    def swapped(self) -> bool:
        return self.order != tuple(range(len(self.order)))

    @property
    def name(self) -> str:
        """The pass's name on the verdict: `straight`, `swapped`, `straight+reference`, ..."""
        order = "swapped" if self.swapped else "straight"
        return f"{order}+reference" if self.with_reference else order

    def show(self, items: Sequence[T]) -> tuple[T, ...]:
        """The items in the order that the judge sees."""
        return tuple(items[index] for index in self.order)

    def hide(self, shown: Sequence[T]) -> tuple[T, ...]:
        """The inverse of `show`: items by shown position, put back into the request's order."""
        back: list[T] = list(shown)
        for position, index in enumerate(self.order):
            back[index] = shown[position]
        return tuple(back)

    def restore(self, reading: Reading | Unreadable) -> Reading | Unreadable:
        """A reading by shown position, put back into the request's candidate order."""
        if isinstance(reading, Unreadable) or not self.swapped:
            return reading
        if len(self.order) != 2:
            raise ValueError(f"a swap is defined for two candidates, not {len(self.order)}")
        return replace(
            reading,
            means=self.hide(reading.means) if reading.means else (),
            greedy=self.hide(reading.greedy) if reading.greedy else (),
            win=reading.lose,
            lose=reading.win,
        )


STRAIGHT = Transform(order=(0, 1))
SWAPPED = Transform(order=(1, 0))
