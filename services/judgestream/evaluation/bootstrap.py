"""Percentile bootstrap: an interval for any statistic of exchangeable rows, from a seed."""

import random
from collections.abc import Callable, Hashable, Sequence
from math import ceil
from typing import TypeVar

from judgestream.evaluation.intervals import LEVEL, Interval, tail_of

T = TypeVar("T")


def percentile_bootstrap(
    statistic: Callable[[Sequence[T]], float | None],
    rows: Sequence[T],
    *,
    seed: int,
    resamples: int = 1000,
    level: float = LEVEL,
    clusters: Sequence[Hashable] | None = None,
) -> Interval | None:
    """Interval for any statistic of exchangeable rows (kappa, macro F1, ...), in the statistic's unit.

    Source: Efron (1979). Rows, or whole clusters of rows, are drawn with replacement, as many as there are;
    the ends are the order statistics that leave (1 - level) / 2 of the resamples outside on either side. The
    same seed gives the same interval. For smooth figures of some 50 rows (or clusters) and more. Not for
    macro figures or kappa with a rare class, whatever n is: a resample cannot hold what the sample lacks
    (`delta.figure` is for those), and not for an absolute value, which it never finds to be 0.

    A resample without a value (None) is left out, and the method's name then says how many were not.
    None when no resample has a value.

    Raises:
        ValueError: no rows, or so few resamples that none would lie outside an end (40 at 95 %).
    """
    least = least_resamples(level)
    if not rows or resamples < least:
        raise ValueError(
            f"cannot draw {resamples} resamples of {len(rows)} rows: give rows, and at least {least}"
        )
    draw = random.Random(seed)  # noqa: S311 - seeded resampling, not a secret
    units: list[Sequence[T]] = [[row] for row in rows]
    if clusters is not None:
        members: dict[Hashable, list[T]] = {}
        for row, group in zip(rows, clusters, strict=True):
            members.setdefault(group, []).append(row)
        units = list(members.values())
    drawn = (
        statistic([row for unit in draw.choices(units, k=len(units)) for row in unit])
        for _ in range(resamples)
    )
    values = sorted(value for value in drawn if value is not None)
    if not values:
        return None
    tail = round(len(values) * tail_of(level))
    defined = "" if len(values) == resamples else f", {len(values)} of {resamples} resamples"
    return Interval(
        low=values[tail],
        high=values[-1 - tail],
        level=level,
        method=f"percentile bootstrap{'' if clusters is None else ' of clusters'}{defined}",
    )


def least_resamples(level: float = LEVEL) -> int:
    """The fewest resamples that leave one outside at either end: 40 at 95 %."""
    return ceil(round(1.0 / tail_of(level), 6))
