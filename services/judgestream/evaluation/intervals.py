"""Confidence intervals: for a share, for a difference of two shares, and by bootstrap for the rest."""

import random
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from math import ceil, sqrt
from statistics import NormalDist
from typing import TypeVar

T = TypeVar("T")

LEVEL = 0.95


@dataclass(frozen=True, kw_only=True, slots=True)
class Interval:
    """`low` to `high`, in the unit of the estimate. `level` is the nominal coverage, 0 to 1."""

    low: float
    high: float
    level: float
    method: str


def wilson_score(count: int, n: int, *, level: float = LEVEL) -> Interval:
    """Interval for the share `count / n`, within 0 to 1.

    Source: Wilson (1927), JASA 22:209; recommended by Brown, Cai and DasGupta (2001). Never degenerate:
    0 of 20 still says that up to 16 % is plausible. Covers at least 91.6 % where n p and n (1 - p) are 1 or
    more, down to 83.6 % below. For independent trials: see `clusters` for verdicts that share a prompt.

    Raises:
        ValueError: n < 1, or count is not within 0 to n.
    """
    if not 0 <= count <= n or n < 1:
        raise ValueError(f"{count} of {n} is no share")
    z = z_of(level)
    share = count / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return Interval(
        low=0.0 if count == 0 else max(0.0, centre - half),
        high=1.0 if count == n else min(1.0, centre + half),
        level=level,
        method="wilson score",
    )


def paired_difference(first: int, second: int, n: int, *, level: float = LEVEL) -> Interval:
    """Interval for `first / n - second / n`, two exclusive outcomes of the same n trials; -1 to 1.

    Adjusted Wald: one is added to each of the two counts and two to n, then the multinomial variance of
    the difference is used. Source: Bonett and Price (2012), J. Educ. Behav. Stat. 37:479; recommended by
    Fagerland, Lydersen and Laake (2014), Stat. Med. 33:2850, as the closed form whose coverage stays near
    nominal (Tango's score interval needs iteration). Its centre is drawn toward 0 for small n.

    Raises:
        ValueError: n < 1, or the counts are negative or exceed n together.
    """
    if first < 0 or second < 0 or first + second > n or n < 1:
        raise ValueError(f"{first} and {second} of {n} are no exclusive shares")
    return adjusted_wald(first, second, n, critical=z_of(level), level=level)


def adjusted_wald(
    first: float, second: float, n: float, *, critical: float, level: float = LEVEL
) -> Interval:
    """`paired_difference` for an effective sample size: counts need not be whole, and `critical` is the
    half-width in standard errors, which is more than the normal one where few clusters tell the variance."""
    p, q = (first + 1) / (n + 2), (second + 1) / (n + 2)
    half = critical * sqrt((p + q - (p - q) ** 2) / (n + 2))
    estimate = (first - second) / n
    return Interval(
        low=max(-1.0, min(estimate, p - q - half)),
        high=min(1.0, max(estimate, p - q + half)),
        level=level,
        method="adjusted wald, paired",
    )


def magnitude(signed: Interval) -> Interval:
    """The interval of |x| that an interval of x implies. Coverage is at least that of `signed`."""
    ends = sorted((abs(signed.low), abs(signed.high)))
    around_zero = signed.low <= 0.0 <= signed.high
    return replace(signed, low=0.0 if around_zero else ends[0], high=ends[1])


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
    tail = round(len(values) * _tail(level))
    defined = "" if len(values) == resamples else f", {len(values)} of {resamples} resamples"
    return Interval(
        low=values[tail],
        high=values[-1 - tail],
        level=level,
        method=f"percentile bootstrap{'' if clusters is None else ' of clusters'}{defined}",
    )


def least_resamples(level: float = LEVEL) -> int:
    """The fewest resamples that leave one outside at either end: 40 at 95 %."""
    return ceil(round(1.0 / _tail(level), 6))


def z_of(level: float) -> float:
    """Half-width of a two-sided normal interval, in standard errors: 1.96 for .95."""
    return NormalDist().inv_cdf(1.0 - _tail(level))


def _tail(level: float) -> float:
    if not 0.0 < level < 1.0:
        raise ValueError(f"a confidence level lies between 0 and 1, not {level}")
    return (1.0 - level) / 2.0
