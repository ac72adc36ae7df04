"""Unscored rate: how often a reply could not be read."""

from judgestream.core.types import Status, Verdict
from judgestream.evaluation.probes.base import Counts, MetricDefinition, Probe


def observe(verdict: Verdict) -> Counts:
    """`scored` or `unscored`."""
    return {
        "scored": int(verdict.status is Status.SCORED),
        "unscored": int(verdict.status is Status.UNSCORED),
    }


UNSCORED = Probe(
    name="unscored",
    counts=("scored", "unscored"),
    observe=observe,
    definitions=(
        MetricDefinition(
            name="unscored_rate",
            meaning="judged requests with a reply that could not be read; failed requests are excluded",
            count=lambda c: c["unscored"],
            n=lambda c: c["scored"] + c["unscored"],
        ),
    ),
)
