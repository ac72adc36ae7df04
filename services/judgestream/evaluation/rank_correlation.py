"""Rank correlation: whether two judges put the same systems in the same order."""

import random
from collections.abc import Sequence
from itertools import combinations
from math import sqrt
from statistics import fmean


def spearman(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Spearman's rho, -1 to 1: the correlation of the ranks, equal values sharing their mean rank.

    None for fewer than two values, and where one side has equal values only.

    Raises:
        ValueError: the lists differ in length.
    """
    if len(first) != len(second):
        raise ValueError(f"{len(first)} and {len(second)} values: give one of each per item")
    return pearson(_ranks(first), _ranks(second))


def spearman_of_subsets(
    first: Sequence[float], second: Sequence[float], *, size: int, draws: int, seed: int
) -> list[float]:
    """Spearman's rho of each of several random subsets of this size, all different, drawn by the seed.

    A subset in which one side has equal values only has no rho and is left out. [] if there are not more
    values than one subset holds. Where there are no more than `draws` subsets, each of them counts once.

    Raises:
        ValueError: as `spearman`.
    """
    if len(first) != len(second):
        raise ValueError(f"{len(first)} and {len(second)} values: give one of each per item")
    if len(first) <= size:
        return []
    subsets = list(combinations(range(len(first)), size))
    drawn = random.Random(seed).sample(subsets, min(draws, len(subsets)))  # noqa: S311 - fixed
    found = (spearman([first[k] for k in chosen], [second[k] for k in chosen]) for chosen in drawn)
    return [rho for rho in found if rho is not None]


def pearson(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Pearson's r, -1 to 1; None as for `spearman`.

    Raises:
        ValueError: the lists differ in length.
    """
    rows = list(zip(first, second, strict=True))
    if len(rows) < 2:
        return None
    mean, other = fmean(first), fmean(second)
    product = sum((a - mean) * (b - other) for a, b in rows)
    spread = sqrt(sum((a - mean) ** 2 for a in first) * sum((b - other) ** 2 for b in second))
    return None if spread == 0.0 else max(-1.0, min(1.0, product / spread))


def _ranks(values: Sequence[float]) -> list[float]:
    order = sorted(range(len(values)), key=values.__getitem__)
    ranks = [0.0] * len(values)
    start = 0
    while start < len(order):
        end = start
        while end + 1 < len(order) and values[order[end + 1]] == values[order[start]]:
            end += 1
        for place in range(start, end + 1):
            ranks[order[place]] = (start + end) / 2 + 1
        start = end + 1
    return ranks
