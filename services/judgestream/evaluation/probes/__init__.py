"""Bias probes: what live verdicts say about the judge itself.

To add a probe, write a module here that defines a `Probe` and add it to `PROBES`. The bias worker, its Redis
store, the published reports and `judgestream bias` follow the table.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType

from judgestream.core.types import Status, Verdict
from judgestream.evaluation.probes.base import Counts, Metric, MetricDefinition, Probe
from judgestream.evaluation.probes.length import LENGTH
from judgestream.evaluation.probes.places import PLACES
from judgestream.evaluation.probes.position import POSITION
from judgestream.evaluation.probes.reference import REFERENCE
from judgestream.evaluation.probes.scores import SCORES
from judgestream.evaluation.probes.style import STYLE
from judgestream.evaluation.probes.ties import TIES
from judgestream.evaluation.probes.unscored import UNSCORED

__all__ = [
    "FAILED",
    "N",
    "PROBES",
    "Counts",
    "Metric",
    "MetricDefinition",
    "Probe",
    "Probes",
    "complete",
    "count_names",
    "observe",
    "report",
    "total",
]

Probes = Mapping[str, Probe]

PROBES: Probes = MappingProxyType(
    {
        probe.name: probe
        for probe in (POSITION, PLACES, TIES, UNSCORED, LENGTH, STYLE, REFERENCE, SCORES)
    }
)
"""Every probe by name, in the order of the report."""

N, FAILED = "n", "failed"
"""Counts that belong to no probe: verdicts, and those of requests that were never judged."""


def observe(verdict: Verdict, probes: Probes = PROBES) -> dict[str, int]:
    """The counts of one verdict, without zeros: n = scored + unscored + failed.

    A failed verdict counts as `n` and `failed` only. No probe sees it.
    """
    if verdict.status is Status.FAILED:
        return {N: 1, FAILED: 1}
    counts = {N: 1}
    for probe in probes.values():
        counts |= {name: count for name, count in probe.observe(verdict).items() if count}
    return counts


def count_names(probes: Probes = PROBES) -> tuple[str, ...]:
    """Every stored count name."""
    return (N, FAILED, *(name for probe in probes.values() for name in probe.counts))


def complete(counts: Counts, probes: Probes = PROBES) -> dict[str, int]:
    """Every count name of the table with its count. A missing name counts 0, an unknown one is dropped:
    while a release rolls out, workers of two versions share a window."""
    return {name: counts.get(name, 0) for name in count_names(probes)}


def total(parts: Iterable[Counts]) -> dict[str, int]:
    """The sum of counts."""
    summed: Counter[str] = Counter()
    for part in parts:
        summed.update(part)
    return dict(summed)


def report(by_prompt: Collection[Counts], probes: Probes = PROBES) -> tuple[Metric, ...]:
    """Every metric, in the table's order, from the summed counts of each prompt.

    Verdicts on one prompt are one cluster: they say the same more often than by chance.
    """
    parts = tuple(by_prompt)
    return tuple(metric for probe in probes.values() for metric in probe.metrics(parts))
