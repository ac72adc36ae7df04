"""Tie rate: how often the judge calls two candidates equal."""

from judgestream.core.types import RERANK, Status, Verdict
from judgestream.evaluation.probes.base import Counts, MetricDefinition, Probe

PAIR = 2


def observe(verdict: Verdict) -> Counts:
    """`tied` or `untied` for a scored verdict on two candidates; a single one has no winner."""
    if verdict.status is not Status.SCORED or len(verdict.scores) > PAIR or verdict.mode == RERANK:
        return {}
    return {"tied": int(verdict.tie), "untied": int(verdict.winner != "")}


TIES = Probe(
    name="ties",
    counts=("tied", "untied"),
    observe=observe,
    definitions=(
        MetricDefinition(
            name="tie_rate",
            meaning="scored verdicts of two candidates that call them equal",
            count=lambda c: c["tied"],
            n=lambda c: c["tied"] + c["untied"],
        ),
    ),
)
