"""Length preference: whether the longer answer wins."""

from judgestream.core.types import RERANK, Status, Verdict
from judgestream.evaluation.probes.base import Counts, MetricDefinition, Probe


def observe(verdict: Verdict) -> Counts:
    """For a verdict with a winner: whether the two answers differ in length, and whether the longer won."""
    gap = _length_gap(verdict) if verdict.status is Status.SCORED else None
    if gap is None:
        return {}
    if gap == 0:
        return {"equal_length": 1}
    return {"length_pairs": 1, "longer_won": int(gap > 0)}


def _length_gap(verdict: Verdict) -> int | None:
    """Characters by which the winner's answer is longer than the other; None unless two are compared."""
    if len(verdict.scores) != 2 or verdict.mode == RERANK:
        return None
    lengths = {score.candidate_id: score.length for score in verdict.scores}
    won = lengths.pop(verdict.winner, None)
    return None if won is None else won - sum(lengths.values())


LENGTH = Probe(
    name="length",
    counts=("length_pairs", "longer_won", "equal_length"),
    observe=observe,
    definitions=(
        MetricDefinition(
            name="length_preference",
            meaning="the longer answer wins, among winners over an answer of another length;"
            " 0.5 means none",
            count=lambda c: c["longer_won"],
            n=lambda c: c["length_pairs"],
        ),
    ),
)
