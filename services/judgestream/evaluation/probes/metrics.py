"""The table of bias metrics: what is published about a release, computed from counts alone."""

from collections.abc import Callable
from dataclasses import dataclass

from judgestream.evaluation.intervals import (
    Interval,
    magnitude,
    paired_difference,
    wilson_score,
)
from judgestream.evaluation.probes.counts import BiasCounts


@dataclass(frozen=True, kw_only=True, slots=True)
class Metric:
    """One published number, 0 to 1. `n` is what it is a share of; None, never 0, when that is 0."""

    name: str
    value: float | None
    n: int
    interval: Interval | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """How one metric is made. `count` is the share's numerator and `n` its denominator."""

    name: str
    meaning: str
    count: Callable[[BiasCounts], int]
    n: Callable[[BiasCounts], int]
    interval: Callable[[BiasCounts], Interval] | None = None  # None: Wilson's of count and n

    def of(self, counts: BiasCounts) -> Metric:
        count, n = self.count(counts), self.n(counts)
        if n == 0:
            return Metric(name=self.name, value=None, n=0, interval=None)
        interval = self.interval(counts) if self.interval else wilson_score(count, n)
        return Metric(name=self.name, value=count / n, n=n, interval=interval)


ROWS: tuple[Row, ...] = (
    Row(
        name="flip_consistency",
        meaning="both candidate orders lead to the same preference",
        count=lambda c: c.consistent,
        n=lambda c: c.ordered,
    ),
    Row(
        name="bias_toward_first",
        meaning="each candidate fares better when it is shown first",
        count=lambda c: c.toward_first,
        n=lambda c: c.ordered,
    ),
    Row(
        name="bias_toward_second",
        meaning="each candidate fares better when it is shown second",
        count=lambda c: c.toward_second,
        n=lambda c: c.ordered,
    ),
    Row(
        name="delta_bias",
        meaning="the two biases' difference, whichever is larger",
        count=lambda c: abs(c.toward_first - c.toward_second),
        n=lambda c: c.ordered,
        interval=lambda c: magnitude(paired_difference(c.toward_first, c.toward_second, c.ordered)),
    ),
    Row(
        name="tie_rate",
        meaning="scored verdicts of two candidates that call them equal",
        count=lambda c: c.tied,
        n=lambda c: c.tied + c.untied,
    ),
    Row(
        name="unscored_rate",
        meaning="judged requests with a reply that could not be read; failed ones were never judged",
        count=lambda c: c.unscored,
        n=lambda c: c.scored + c.unscored,
    ),
    Row(
        name="length_preference",
        meaning="the longer answer wins, among winners over an answer of another length; 0.5 is none",
        count=lambda c: c.longer_won,
        n=lambda c: c.length_pairs,
    ),
)
"""A new metric is a row here, over counts that `BiasCounts` has or gains."""


def report(counts: BiasCounts) -> tuple[Metric, ...]:
    """Every metric of the table, in its order."""
    return tuple(row.of(counts) for row in ROWS)
