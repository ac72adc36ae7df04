"""One gold label from several annotators."""

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

L = TypeVar("L", bound=Hashable)


@dataclass(frozen=True, kw_only=True, slots=True)
class Majorities(Generic[L]):
    """`labels` has one entry per item, None where no label has a majority; `undecided` counts those."""

    labels: tuple[L | None, ...]
    undecided: int


def majority(votes: Sequence[L | None]) -> L | None:
    """The label that more than half of the votes cast agree on, else None.

    A vote of None is not cast. Two of three is a majority; two of four, or two of five against 1, 1, 1,
    is not: the largest minority would make gold out of noise.
    """
    cast = Counter(vote for vote in votes if vote is not None)
    return next((label for label, count in cast.items() if 2 * count > cast.total()), None)


def majorities(items: Sequence[Sequence[L | None]]) -> Majorities[L]:
    """`majority` of each item's votes."""
    labels = tuple(majority(votes) for votes in items)
    return Majorities(labels=labels, undecided=labels.count(None))
