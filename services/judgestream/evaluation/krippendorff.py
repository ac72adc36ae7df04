"""Krippendorff's alpha: how far any number of annotators agree beyond chance, with gaps allowed.

alpha = 1 - observed disagreement / disagreement by chance: 1 is perfect, 0 is chance. Of two annotators
without gaps and with nominal labels it is Scott's pi, corrected for small samples.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from typing import TypeVar

from judgestream.evaluation.kappa import scott_pi
from judgestream.evaluation.macro import Table

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
