"""Linear regression by least squares, with an optional ridge penalty."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from judgestream.core.matrices import cholesky, solve


@dataclass(frozen=True, kw_only=True, slots=True)
class Fit:
    """`intercept + sum of slopes times features`. `r2` is the share of the variance that it explains; None
    where the values do not vary."""

    intercept: float
    slopes: tuple[float, ...]
    r2: float | None


def linear(
    features: Sequence[Sequence[float]], values: Sequence[float], *, ridge: float = 0.0
) -> Fit | None:
    """The fit that minimises squared errors plus `ridge` times the squared slopes (the intercept is free).

    None where the data do not determine it: fewer rows than unknowns, or features that are collinear, without
    a penalty.

    Raises:
        ValueError: the lists differ in length.
    """
    rows = list(zip(features, values, strict=True))
    if not rows or (ridge == 0.0 and len(rows) <= len(features[0])):
        return None
    means = [fmean(column) for column in zip(*features, strict=True)]
    mean = fmean(values)
    centred = [([x - m for x, m in zip(row, means, strict=True)], y - mean) for row, y in rows]
    size = len(means)
    squares = [
        [sum(x[a] * x[b] for x, _ in centred) + ridge * (a == b) for b in range(size)]
        for a in range(size)
    ]
    # in the features' own units a pivot could be small by its unit alone
    units = [squares[a][a] ** 0.5 or 1.0 for a in range(size)]
    root = cholesky(
        [[squares[a][b] / units[a] / units[b] for b in range(size)] for a in range(size)]
    )
    if not all(root[a][a] for a in range(size)):
        return None
    right = [sum(x[a] * y for x, y in centred) / units[a] for a in range(size)]
    slopes = [slope / unit for slope, unit in zip(solve(root, right), units, strict=True)]
    total = sum(y * y for _, y in centred)
    left = sum((y - _dot(slopes, x)) ** 2 for x, y in centred)
    return Fit(
        intercept=mean - _dot(slopes, means),
        slopes=tuple(slopes),
        r2=1.0 - left / total if total > 0.0 else None,
    )


def standardised(column: Sequence[float]) -> list[float]:
    """The column less its mean, in its standard deviations; zeros for equal values."""
    mean = fmean(column)
    spread = fmean((value - mean) ** 2 for value in column) ** 0.5
    return [(value - mean) / spread if spread else 0.0 for value in column]


def _dot(one: Sequence[float], other: Sequence[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))
