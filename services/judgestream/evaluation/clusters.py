"""Means and shares of clustered values, such as several verdicts on one prompt.

Verdicts on one prompt are right or wrong together more often than by chance, so an interval that assumes
independence is too narrow: at an intra-prompt correlation of .2 and 15 verdicts per prompt it covers 66 %
instead of 95 %. Here a cluster, not a verdict, is the observation.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace

from judgestream.evaluation.intervals import LEVEL, Interval, wilson_form, wilson_score
from judgestream.evaluation.quantiles import student_t


@dataclass(frozen=True, kw_only=True, slots=True)
class Mean:
    """A mean of `n` values in `clusters` clusters.

    design_effect   ratio of its variance to that of `n` independent values, at least 1; the effective sample
                    size is `n / design_effect`
    interval        None for a single cluster of several values: nothing shows how clusters vary
    """

    value: float
    n: int
    clusters: int
    design_effect: float
    interval: Interval | None


def clustered_share(
    hits: Sequence[bool], clusters: Sequence[Hashable] | None = None, *, level: float = LEVEL
) -> Mean | None:
    """The share of hits; None for no values. See `clustered_mean`."""
    return clustered_mean([float(hit) for hit in hits], clusters, level=level)


def clustered_mean(
    values: Sequence[float],
    clusters: Sequence[Hashable] | None = None,
    *,
    lowest: float = 0.0,
    highest: float = 1.0,
    level: float = LEVEL,
) -> Mean | None:
    """The mean of values from `lowest` to `highest`, with an interval that is robust to clusters.

    Wilson's score interval at the effective sample size, with Student's t of (clusters - 1) degrees of
    freedom. The variance is that between cluster totals, G / (G - 1) sum of squared totals of residuals.
    Source: Kish (1965) for the design effect; Korn and Graubard (1998), Surv. Methodol. 24:193, for the
    effective size with t; Dean and Pagano (2015), J. Surv. Stat. Methodol. 3:484, for Wilson's form. Shares
    with one value a cluster get Wilson's interval itself. Where all values are equal, nothing shows the
    correlation, and a cluster counts as one value.

    Args:
        clusters: the cluster of every value; None if values are independent.

    Raises:
        ValueError: the lists differ in length, or a value outside the bounds.
    """
    if not values:
        return None
    if not all(lowest <= value <= highest for value in values):
        raise ValueError(f"a value lies outside {lowest} to {highest}")
    n, width = len(values), highest - lowest
    scaled = [(value - lowest) / width for value in values]
    share = sum(scaled) / n
    groups = range(n) if clusters is None else clusters
    totals: defaultdict[Hashable, float] = defaultdict(float)
    for value, group in zip(scaled, groups, strict=True):
        totals[group] += value - share
    spread = sum((value - share) ** 2 for value in scaled) if min(scaled) < max(scaled) else 0.0
    found = _mean(
        share, n, list(totals.values()), spread, binary=set(scaled) <= {0.0, 1.0}, level=level
    )
    interval = found.interval
    return replace(
        found,
        value=lowest + width * share,
        interval=None if interval is None else _scaled(interval, lowest, width),
    )


def share_of_counts(cells: Iterable[tuple[int, int]], *, level: float = LEVEL) -> Mean | None:
    """The share of hits, from (hits, values) of each cluster; None for no values.

    The same as `clustered_share` of the single values.

    Raises:
        ValueError: hits that are not within 0 to the number of values.
    """
    counted = [(hits, values) for hits, values in cells if hits or values]
    if not all(0 <= hits <= values for hits, values in counted):
        raise ValueError("a cluster has more hits than values, or a negative count")
    n, total = sum(values for _, values in counted), sum(hits for hits, _ in counted)
    if not n:
        return None
    share = total / n
    residuals = [hits - share * values for hits, values in counted]
    spread = total * (1.0 - share) if 0 < total < n else 0.0
    return _mean(share, n, residuals, spread, binary=True, level=level)


def _mean(
    share: float, n: int, residuals: Sequence[float], spread: float, *, binary: bool, level: float
) -> Mean:
    """The mean of `n` values from 0 to 1.

    residuals   of each cluster: the sum of its values less the mean
    spread      sum of the squared deviations of single values; 0 if all are equal
    """
    count = len(residuals)
    # all values equal: no variance, so no visible correlation
    effect, freedom, size = n / count, max(1.0, count - 1.0), float(count)
    if spread > 0.0:
        effect = 1.0
        if 1 < count < n:
            squares = [residual**2 for residual in residuals]
            effect = max(1.0, count / (count - 1) * sum(squares) / spread)
            freedom = freedom_of(squares)
        size = share * (1.0 - share) * n * n / (spread * effect)
    interval: Interval | None
    if count == 1 and n > 1:
        interval = None
    elif count == n and binary:
        interval = wilson_score(round(share * n), n, level=level)
    else:
        interval = wilson_form(
            share,
            size,
            critical=student_t(level, freedom),
            level=level,
            method="wilson score, clustered",
        )
    return Mean(value=share, n=n, clusters=count, design_effect=effect, interval=interval)


def freedom_of(squares: Sequence[float]) -> float:
    """Degrees of freedom of a variance estimated from these squared cluster totals.

    One less than there are clusters when the totals are normal; fewer when few clusters carry the variance.
    """
    count, total = len(squares), sum(squares)
    if total == 0.0:
        return count - 1.0
    kurtosis = count * sum(square**2 for square in squares) / total**2
    return max(1.0, min(count - 1.0, 2.0 * count / max(kurtosis - 1.0, 1e-9)))


def _scaled(interval: Interval, lowest: float, width: float) -> Interval:
    low, high = (lowest + width * end for end in (interval.low, interval.high))
    return replace(interval, low=low, high=high)
