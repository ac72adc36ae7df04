"""Probes: counts of single verdicts, and metrics of their sums."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from judgestream.core.types import Verdict
from judgestream.evaluation.clusters import Mean, share_of_counts
from judgestream.evaluation.intervals import Interval, magnitude
from judgestream.evaluation.paired import difference_of_counts

Counts = Mapping[str, int]
"""Stored count name -> how often. Sums of it commute, so workers may contribute in any order."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Metric:
    """One published number, 0 to 1. `n` is its denominator; with n = 0 the value is None, never 0.

    interval        None without a value, and where one prompt has all of several verdicts
    prompts         clusters of verdicts that the interval rests on
    design_effect   see `clusters.Mean`; 1 for independent verdicts
    """

    name: str
    value: float | None
    n: int
    interval: Interval | None
    prompts: int = 0
    design_effect: float = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class MetricDefinition:
    """A published share: `count` is its numerator and `n` its denominator, both from summed counts.

    meaning   one line for people
    against   where the metric is the magnitude of a difference of two exclusive shares: the numerator of
              the other one
    """

    name: str
    meaning: str
    count: Callable[[Counts], int]
    n: Callable[[Counts], int]
    against: Callable[[Counts], int] | None = None

    def of(self, by_prompt: Sequence[Counts]) -> Metric:
        """The metric of complete counts of each prompt: every count of the probe has an entry."""
        if self.against is None:
            mean = share_of_counts((self.count(counts), self.n(counts)) for counts in by_prompt)
        else:
            mean = _magnitude_of(self.count, self.against, self.n, by_prompt)
        if mean is None:
            return Metric(name=self.name, value=None, n=0, interval=None)
        return Metric(
            name=self.name,
            value=mean.value,
            n=mean.n,
            interval=mean.interval,
            prompts=mean.clusters,
            design_effect=mean.design_effect,
        )


def _magnitude_of(
    count: Callable[[Counts], int],
    against: Callable[[Counts], int],
    n: Callable[[Counts], int],
    by_prompt: Sequence[Counts],
) -> Mean | None:
    signed = difference_of_counts((count(of), against(of), n(of)) for of in by_prompt)
    if signed is None:
        return None
    interval = None if signed.interval is None else magnitude(signed.interval)
    return replace(signed, value=abs(signed.value), interval=interval)


@dataclass(frozen=True, kw_only=True, slots=True)
class Probe:
    """One bias measurement from live verdicts.

    counts       the names that `observe` may use. They are stored in Redis and keys of
                 `BiasReport.counts`, a stored format: add names, never rename one or change its meaning
    observe      the counts of one verdict that was judged; a missing name counts 0
    definitions  the metrics, in the order of the report
    """

    name: str
    counts: tuple[str, ...]
    observe: Callable[[Verdict], Counts]
    definitions: tuple[MetricDefinition, ...]

    def metrics(self, by_prompt: Sequence[Counts]) -> tuple[Metric, ...]:
        """The metrics of each prompt's summed counts. A missing name counts 0, other probes' names are
        ignored."""
        complete = [{name: counts.get(name, 0) for name in self.counts} for counts in by_prompt]
        return tuple(definition.of(complete) for definition in self.definitions)
