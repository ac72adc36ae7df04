"""Every measure of a judge on one set of items, with its 95 % interval: the core's own functions, applied.

Shares have Wilson's interval, figures made from the confusion the smoothed delta method, the position bias
the interval of the bias worker, and the calibration error one that knows how large it is by chance alone.
Items of one question are not independent: where several share one, the intervals count questions.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

from judgestream.evaluation.calibration import BINS, bin_of, calibration
from judgestream.evaluation.clusters import clustered_share
from judgestream.evaluation.delta import figure
from judgestream.evaluation.intervals import Interval, magnitude, paired_difference
from judgestream.evaluation.macro import Table, macro
from judgestream.evaluation.paired import compare
from judgestream.evaluation.position import lean

__all__ = ["BINS", "CLASSES", "MEASURES", "Estimate", "Outcome", "bin_of", "estimates"]

CLASSES = (1, 0, -1)


class Outcome(Protocol):
    """One judged item. `truth`, `verdict`, `straight`, `swapped` are +1, 0 or -1 in the item's order, None
    where a reply could not be read; `confidence` is the probability of the verdict, 0 to 1. Items of one
    `cluster` share their question; one whose cluster is "" shares it with none."""

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
    @property
    def cluster(self) -> str: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """A measure, 0 to 1, with its 95 % interval. NaN is never in it: a measure without a value is None
    instead. Of items that all share one question nothing shows how questions vary: the interval is 0 to 1."""

    share: float
    low: float
    high: float


Measure = Callable[[Sequence[Outcome]], Estimate]


def accuracy(rows: Sequence[Outcome]) -> Estimate:
    """Three-way: share of the verdicts that equal the truth."""
    read = _read(rows)
    return _share([row.verdict == row.truth for row in read], read)


def consistency(rows: Sequence[Outcome]) -> Estimate:
    """Both orders lead to the same preference (arXiv 2310.17631)."""
    return _leaning(rows, 0)


def toward_first(rows: Sequence[Outcome]) -> Estimate:
    """Each candidate fares better when it is shown first."""
    return _leaning(rows, 1)


def toward_second(rows: Sequence[Outcome]) -> Estimate:
    """Each candidate fares better when it is shown second."""
    return _leaning(rows, -1)


def delta_bias(rows: Sequence[Outcome]) -> Estimate:
    """|toward first - toward second|, by the bias worker's own interval."""
    both, leans = _leans(rows)
    if not leans:
        raise ValueError("no item was read in both orders")
    first, second, n = leans.count(1), leans.count(-1), len(leans)
    groups = _clusters(both)
    signed: Interval | None = paired_difference(first, second, n)
    if groups is not None:
        found = compare([one == 1 for one in leans], [one == -1 for one in leans], groups)
        signed = None if found is None else found.interval
    return _estimate(abs(first - second) / n, None if signed is None else magnitude(signed))


def calibration_error(rows: Sequence[Outcome]) -> Estimate:
    """Expected calibration error over ten equal-width bins, as published everywhere; its interval is that of
    the true error, which the estimate exceeds by chance (see `core.stats.calibration`)."""
    read = _read(rows)
    found = calibration([j.confidence for j in read], [j.verdict == j.truth for j in read])
    if found is None:
        raise ValueError("no item could be read")
    return _estimate(found.ece, found.interval)


def calibrated_shows(rows: Sequence[Outcome]) -> float:
    """What a perfectly calibrated judge with these confidences shows as its calibration error, on average."""
    read = _read(rows)
    found = calibration([j.confidence for j in read], [j.verdict == j.truth for j in read])
    return 0.0 if found is None else found.if_calibrated


def unscored(rows: Sequence[Outcome]) -> Estimate:
    """Share of the items with an unreadable reply: in no other measure."""
    return _share([row.verdict is None for row in rows], rows)


def _of_macro(name: str) -> Measure:
    """Unweighted mean over the classes that occur in the truth: precision, recall or F1."""

    def statistic(table: Table) -> float | None:
        value: float | None = getattr(macro(table), name)
        return value

    def measure(rows: Sequence[Outcome]) -> Estimate:
        read = _read(rows)
        found = figure(
            statistic,
            [(row.truth, row.verdict) for row in read],
            _clusters(read),
            outcomes=CLASSES,
        )
        return _estimate(found.value or 0.0, found.interval)

    return measure


MEASURES: Mapping[str, Measure] = MappingProxyType(
    {
        "accuracy": accuracy,
        "precision": _of_macro("precision"),
        "recall": _of_macro("recall"),
        "f1": _of_macro("f1"),
        "consistency": consistency,
        "toward_first": toward_first,
        "toward_second": toward_second,
        "delta_bias": delta_bias,
        "ece": calibration_error,
        "unscored": unscored,
    }
)


def estimates(rows: Sequence[Outcome]) -> dict[str, Estimate]:
    """Every measure of the rows with its interval.

    Raises:
        ValueError: no row has a verdict.
    """
    if not _read(rows):
        raise ValueError(f"none of {len(rows)} items could be read")
    return {name: of(rows) for name, of in MEASURES.items()}


def _read(rows: Sequence[Outcome]) -> list[Outcome]:
    return [row for row in rows if row.verdict is not None]


def _leans(rows: Sequence[Outcome]) -> tuple[list[Outcome], list[int]]:
    """The items with a verdict and both orders read, and which way each leans."""
    found = [
        (row, lean(row.straight, row.swapped))
        for row in _read(rows)
        if row.straight is not None and row.swapped is not None
    ]
    return [row for row, _ in found], [leaning for _, leaning in found]


def _leaning(rows: Sequence[Outcome], way: int) -> Estimate:
    both, leans = _leans(rows)
    return _share([leaning == way for leaning in leans], both)


def _clusters(rows: Sequence[Outcome]) -> list[Hashable] | None:
    """What stands for the question of every row; None when no two share one."""
    found: list[Hashable] = [row.cluster or at for at, row in enumerate(rows)]
    return found if len(set(found)) < len(found) else None


def _share(hits: Sequence[bool], rows: Sequence[Outcome]) -> Estimate:
    found = clustered_share(hits, _clusters(rows))
    if found is None:
        raise ValueError("no item could be read")
    return _estimate(found.value, found.interval)


def _estimate(value: float, interval: Interval | None) -> Estimate:
    if interval is None:
        return Estimate(share=value, low=0.0, high=1.0)
    return Estimate(share=value, low=min(interval.low, value), high=max(interval.high, value))
