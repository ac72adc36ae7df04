"""Style differences of two answers, as covariates of their comparison.

Arena's style control (FastChat): for each feature (a - b) / (a + b + 1), divided by its size over all
comparisons. A coefficient is the log-odds that one such unit of difference is worth. Arena also subtracts the
mean, which would make the result depend on which answer stands first; here nothing is subtracted.
"""

from collections.abc import Sequence
from math import sqrt

from judgestream.core.types import Style

FEATURES = ("words", "headers", "list_items", "bold")
"""Fields of `Style`, in the order of the covariates."""


def style_difference(first: Style, second: Style) -> tuple[float, ...]:
    """The normalised difference of each feature, -1 to 1; exchanging the answers changes the signs."""
    return tuple(
        (getattr(first, name) - getattr(second, name))
        / (getattr(first, name) + getattr(second, name) + 1)
        for name in FEATURES
    )


def standardised(
    rows: Sequence[tuple[float, ...]],
) -> tuple[list[tuple[float, ...]], tuple[bool, ...]]:
    """The rows with every column divided by its root mean square, without the columns that are 0 everywhere;
    and which columns were kept."""
    if not rows:
        return [], ()
    columns = list(zip(*rows, strict=True))
    sizes = [sqrt(sum(value * value for value in column) / len(rows)) for column in columns]
    kept = tuple(size > 0.0 for size in sizes)
    scaled = [
        tuple(value / size for value, size in zip(row, sizes, strict=True) if size > 0.0)
        for row in rows
    ]
    return scaled, kept
