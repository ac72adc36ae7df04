"""Krippendorff's alpha: how far any number of annotators agree beyond chance, with gaps allowed.

alpha = 1 - observed disagreement / disagreement by chance: 1 is perfect, 0 is chance. Of two annotators
without gaps and with nominal labels it is Scott's pi, corrected for small samples.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Sequence
from math import sqrt
from typing import TypeVar

from judgestream.evaluation.clusters import freedom_of
from judgestream.evaluation.delta import Figure
from judgestream.evaluation.intervals import LEVEL, Interval
from judgestream.evaluation.kappa import scott_pi
from judgestream.evaluation.macro import Table
from judgestream.evaluation.quantiles import student_t

L = TypeVar("L", bound=Hashable)


def differ(one: Hashable, other: Hashable) -> float:
    """The nominal distance: 1 for two different labels."""
    return float(one != other)


def apart(one: float, other: float) -> float:
    """The interval distance: the squared difference of two numbers."""
    return (one - other) ** 2


def krippendorff_alpha(
    items: Sequence[Sequence[L | None]], distance: Callable[[L, L], float] = differ
) -> float | None:
    """Alpha of the labels of each item; None is a missing label, and the number of labels may vary.

    Items with one label pair with nothing and are left out. None without any pair, and where all labels are
    equal, so that chance explains the agreement. Source: Krippendorff (2011), "Computing Krippendorff's
    alpha-reliability".

    Args:
        distance: between two labels, 0 for equal ones: `differ` for names, `apart` for numbers.
    """
    units = [[label for label in item if label is not None] for item in items]
    units = [unit for unit in units if len(unit) > 1]
    values = Counter(label for unit in units for label in unit)
    total = values.total()
    if not total:
        return None
    observed = 0.0
    for unit in units:
        counts = Counter(unit)
        observed += _disagreement(counts, distance) / (len(unit) - 1)
    by_chance = _disagreement(values, distance) / (total - 1)
    return None if by_chance == 0.0 else 1.0 - observed / by_chance


def _disagreement(counts: Counter[L], distance: Callable[[L, L], float]) -> float:
    """The sum of distances over all ordered pairs of different labels."""
    return sum(
        n * m * distance(one, other)
        for one, n in counts.items()
        for other, m in counts.items()
        if one != other
    )


def alpha_of(pairs: int) -> Callable[[Table], float | None]:
    """Nominal alpha of two annotators as a statistic of their confusion, of any total weight.

    With n pairs alpha = 1 - (1 - pi) (2n - 1) / 2n.
    """
    correction = (2 * pairs - 1) / (2 * pairs) if pairs else 1.0

    def alpha(table: Table) -> float | None:
        pi = scott_pi(table)
        return None if pi is None else 1.0 - (1.0 - pi) * correction

    return alpha


def reliability_of_labels(
    items: Sequence[Sequence[L | None]],
    clusters: Sequence[Hashable] | None = None,
    *,
    level: float = LEVEL,
) -> Figure:
    """Nominal alpha of any number of annotators with an interval: how far they agree among themselves.

    The linearised variance between clusters of items, with Student's t; to it is added what one more pair of
    different labels would change, since a few items without a disagreement do not show that there are none.
    `n` counts the items with two labels and more.

    Args:
        clusters: the cluster of every item; None if items are independent.
    """
    groups = range(len(items)) if clusters is None else clusters
    kept = [
        (Counter(label for label in item if label is not None), group)
        for item, group in zip(items, groups, strict=True)
    ]
    kept = [(counts, group) for counts, group in kept if counts.total() > 1]
    value = krippendorff_alpha(items)
    count = len({group for _, group in kept})
    if value is None:
        return Figure(value=None, n=len(kept), clusters=count, design_effect=1.0, interval=None)
    pooled = sum((counts for counts, _ in kept), start=Counter[L]())
    total = pooled.total()
    chance = total * total - sum(n * n for n in pooled.values())
    by_chance = chance / (total - 1)
    totals: defaultdict[Hashable, float] = defaultdict(float)
    squared = 0.0
    for counts, group in kept:
        size = counts.total()
        own = _disagreement(counts, differ) / (size - 1)
        slope = 2.0 * (total * size - sum(pooled[one] * n for one, n in counts.items()))
        expected = (slope - chance * size / (total - 1)) / (total - 1)
        influence = (own - (1.0 - value) * expected) / by_chance
        totals[group] += influence
        squared += influence * influence
    if count < 2:
        return Figure(value=value, n=len(kept), clusters=count, design_effect=1.0, interval=None)
    squares = [one * one for one in totals.values()]
    between = sum(squares) * count / (count - 1)
    half = student_t(level, max(1.0, freedom_of(squares))) * sqrt(between + (2.0 / by_chance) ** 2)
    return Figure(
        value=value,
        n=len(kept),
        clusters=count,
        design_effect=max(1.0, between / squared) if squared > 0.0 and count < len(kept) else 1.0,
        interval=Interval(
            low=max(-1.0, value - half),
            high=min(1.0, value + half),
            level=level,
            method="linearised, clustered",
        ),
    )
