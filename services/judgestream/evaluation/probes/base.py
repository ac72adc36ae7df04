"""Probes: counts of single verdicts, and metrics of their sums."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from judgestream.core.types import Verdict
from judgestream.evaluation.intervals import Interval, wilson_score

Counts = Mapping[str, int]
"""Stored count name -> how often. Sums of it commute, so workers may contribute in any order."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Metric:
    """One published number, 0 to 1. `n` is its denominator; with n = 0 the value is None, never 0."""

    name: str
    value: float | None
    n: int
    interval: Interval | None


@dataclass(frozen=True, kw_only=True, slots=True)
class MetricDefinition:
    """A published share: `count` is its numerator and `n` its denominator, both from summed counts.

    meaning   one line for people
    interval  of the share; None for Wilson's of `count` and `n`
    """

    name: str
    meaning: str
    count: Callable[[Counts], int]
    n: Callable[[Counts], int]
    interval: Callable[[Counts], Interval] | None = None

    def of(self, counts: Counts) -> Metric:
        """The metric of complete counts: every count of the probe has an entry."""
        count, n = self.count(counts), self.n(counts)
        if n == 0:
            return Metric(name=self.name, value=None, n=0, interval=None)
        interval = self.interval(counts) if self.interval else wilson_score(count, n)
        return Metric(name=self.name, value=count / n, n=n, interval=interval)


@dataclass(frozen=True, kw_only=True, slots=True)
class Probe:
    """One bias measurement from live verdicts.

    counts       the names that `observe` may use. They are field names of the window's Redis hash and keys
                 of `BiasReport.counts`, a stored format: add names, never rename one or change its meaning
    observe      the counts of one verdict that was judged; a missing name counts 0
    definitions  the metrics, in the order of the report
    """

    name: str
    counts: tuple[str, ...]
    observe: Callable[[Verdict], Counts]
    definitions: tuple[MetricDefinition, ...]

    def metrics(self, counts: Counts) -> tuple[Metric, ...]:
        """The metrics of summed counts. A missing name counts 0, other probes' names are ignored."""
        complete = {name: counts.get(name, 0) for name in self.counts}
        return tuple(definition.of(complete) for definition in self.definitions)
