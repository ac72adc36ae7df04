"""Every measure of a judge as a function of sums over items, and so its bootstrap interval, too.

An item adds a row of numbers: which cell of the confusion it falls in, which way its two orders lean, how far
its confidence is from its hit. A measure looks at the sums of those rows only, so a resample is a vector of
item weights, a thousand resamples are one matrix product, and the estimate itself is the sum with all weights
1: there is one formula for both.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from judgestream.core.stats.position import lean

Array = NDArray[np.float64]

CLASSES = (1, 0, -1)
BINS = 10
RESAMPLES = 1000
LEVEL = 0.95


class Outcome(Protocol):
    """One judged item. `truth`, `verdict`, `straight`, `swapped` are +1, 0 or -1 in the item's order, None
    where a reply could not be read; `confidence` is the probability of the verdict, 0 to 1."""

    @property
    def truth(self) -> int: ...
    @property
    def verdict(self) -> int | None: ...
    @property
    def straight(self) -> int | None: ...
    @property
    def swapped(self) -> int | None: ...
    @property
    def confidence(self) -> float: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """A measure, 0 to 1, with its 95 % interval. NaN is never in it: a measure without a value is no
    Estimate but None."""

    share: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Sums:
    """Sums over items, for each of R weightings.

    confusion  [R, 3, 3]: truth by verdict, in the order of CLASSES
    leans      [R, 3]: the orders decide alike, lean to the first position, to the second
    gaps       [R, 10]: confidence less hits, by equal bins of the confidence
    read, all  [R]: items that have a verdict; all items
    """

    confusion: Array
    leans: Array
    gaps: Array
    read: Array
    all: Array


def sums(rows: Sequence[Outcome], weights: Array) -> Sums:
    """`weights` [R, N]: how often each item counts in each weighting."""
    total = weights @ np.array([_row(row) for row in rows])
    return Sums(
        confusion=total[:, :9].reshape(-1, 3, 3),
        leans=total[:, 9:12],
        gaps=total[:, 12 : 12 + BINS],
        read=total[:, -1],
        all=weights.sum(1),
    )


def resampled(n: int, *, seed: int, resamples: int = RESAMPLES) -> Array:
    """[resamples, n]: how often each of n items is drawn, n draws with replacement (Efron 1979). The same
    seed gives the same draws, so two judges of the same items can be compared draw by draw."""
    draw = np.random.default_rng(seed)
    return draw.multinomial(n, np.full(n, 1 / n), size=resamples).astype(np.float64)


def accuracy(s: Sums) -> Array:
    """Three-way: share of the verdicts that equal the truth."""
    return _ratio(np.trace(s.confusion, axis1=1, axis2=2), s.read)


def precision(s: Sums) -> Array:
    """Macro over the classes that occur in truth or verdicts; 0 for one that is never called (JudgeLM)."""
    return _macro(s, lambda hits, called, true: hits / np.maximum(called, 1))


def recall(s: Sums) -> Array:
    """Macro over the classes that occur; 0 for one that is never true."""
    return _macro(s, lambda hits, called, true: hits / np.maximum(true, 1))


def f1(s: Sums) -> Array:
    """Mean of the classes' F1, as scikit-learn's macro average, not the F1 of the means."""
    return _macro(s, lambda hits, called, true: 2 * hits / np.maximum(called + true, 1))


def consistency(s: Sums) -> Array:
    """Both orders lead to the same preference (arXiv 2310.17631)."""
    return _ratio(s.leans[:, 0], s.leans.sum(1))


def toward_first(s: Sums) -> Array:
    """Each candidate fares better when it is shown first."""
    return _ratio(s.leans[:, 1], s.leans.sum(1))


def toward_second(s: Sums) -> Array:
    """Each candidate fares better when it is shown second."""
    return _ratio(s.leans[:, 2], s.leans.sum(1))


def delta_bias(s: Sums) -> Array:
    """|toward first - toward second|."""
    return _ratio(np.abs(s.leans[:, 1] - s.leans[:, 2]), s.leans.sum(1))


def calibration_error(s: Sums) -> Array:
    """Expected calibration error over ten equal-width bins (Naeini et al. 2015; Guo et al. 2017)."""
    return _ratio(np.abs(s.gaps).sum(1), s.read)


def unscored(s: Sums) -> Array:
    """Share of the items with an unreadable reply: in no other measure."""
    return 1 - s.read / s.all


MEASURES: Mapping[str, Callable[[Sums], Array]] = MappingProxyType(
    {
        "accuracy": accuracy,
        "precision": precision,
        "recall": recall,
        "f1": f1,
        "consistency": consistency,
        "toward_first": toward_first,
        "toward_second": toward_second,
        "delta_bias": delta_bias,
        "ece": calibration_error,
        "unscored": unscored,
    }
)


def estimates(rows: Sequence[Outcome], *, seed: int = 0) -> dict[str, Estimate]:
    """Every measure of the rows with its percentile bootstrap interval.

    Raises:
        ValueError: no row has a verdict.
    """
    if not any(row.verdict is not None for row in rows):
        raise ValueError(f"none of {len(rows)} items could be read")
    whole = sums(rows, np.ones((1, len(rows))))
    drawn = sums(rows, resampled(len(rows), seed=seed))
    return {
        name: _estimate(float(of(whole)[0]), _values(of, drawn)) for name, of in MEASURES.items()
    }


def _row(row: Outcome) -> list[float]:
    cells = [0.0] * (9 + 3 + BINS + 1)
    if row.verdict is None:
        return cells
    cells[3 * CLASSES.index(row.truth) + CLASSES.index(row.verdict)] = 1.0
    if row.straight is not None and row.swapped is not None:
        cells[9 + (0, 1, 2)[lean(row.straight, row.swapped)]] = 1.0  # -1: the last
    cells[12 + bin_of(row.confidence)] = row.confidence - (row.verdict == row.truth)
    cells[-1] = 1.0
    return cells


def bin_of(confidence: float) -> int:
    """Which of the ten bins of equal width a confidence falls in."""
    return min(BINS - 1, int(confidence * BINS))


def _macro(s: Sums, of_class: Callable[[Array, Array, Array], Array]) -> Array:
    hits = np.diagonal(s.confusion, axis1=1, axis2=2)
    called, true = s.confusion.sum(1), s.confusion.sum(2)
    present = (called + true) > 0
    return _ratio((of_class(hits, called, true) * present).sum(1), present.sum(1))


def _ratio(over: Array, under: Array) -> Array:
    return np.asarray(over / under, dtype=np.float64)


def _values(of: Callable[[Sums], Array], drawn: Sums) -> Array:
    """The measure of every resample; NaN for one that drew only unreadable items."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return of(drawn)


def _estimate(value: float, values: Array) -> Estimate:
    kept = np.sort(values[~np.isnan(values)])
    tail = round(len(kept) * (1 - LEVEL) / 2)
    return Estimate(share=value, low=float(kept[tail]), high=float(kept[-1 - tail]))
