"""One gold label from several annotators."""

from collections import Counter
from collections.abc import Hashable, Sequence
from typing import TypeVar

L = TypeVar("L", bound=Hashable)


def majority(votes: Sequence[L | None]) -> L | None:
    """The label that more than half of the votes cast agree on, else None.

    A vote of None is not cast. Two of three is a majority; two of four, or two of five against 1, 1, 1,
    is not: the largest minority would make gold out of noise.
    """
    cast = Counter(vote for vote in votes if vote is not None)
    return next((label for label, count in cast.items() if 2 * count > cast.total()), None)
