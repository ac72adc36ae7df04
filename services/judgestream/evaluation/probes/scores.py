"""Scores on the scale from 1 to 10: whether they still separate answers, and how they are distributed."""

from judgestream.core.types import RERANK, Status, Verdict
from judgestream.evaluation.probes.base import Counts, MetricDefinition, Probe

LOWEST, HIGHEST = 1.0, 10.0
BINS = (
    "scores_one_two",
    "scores_three_four",
    "scores_five_six",
    "scores_seven_eight",
    "scores_nine_ten",
)
"""Counts of scores by nearest whole number. `drift` compares their distributions in two windows."""
LOW_END, HIGH_END = BINS[0], BINS[-1]


def observe(verdict: Verdict) -> Counts:
    """The bin of every score, and whether all are in the same end bin.

    Only of verdicts whose scores were read from score lines and lie from 1 to 10: values of reward models,
    strengths of tournaments, rubrics' totals and relevance are on other scales.
    """
    if verdict.status is not Status.SCORED or verdict.method or verdict.mode in (RERANK, "rubric"):
        return {}
    scores = [one.score for one in verdict.scores]
    known = [one for one in scores if one is not None and LOWEST <= one <= HIGHEST]
    if not known or len(known) != len(scores) or any(one.low is not None for one in verdict.scores):
        return {}
    bins = [bin_of(score) for score in known]
    counts = {name: bins.count(name) for name in set(bins)}
    saturated = set(bins) in ({LOW_END}, {HIGH_END})
    return {"graded": 1, "saturated": int(saturated), **counts}


def bin_of(score: float) -> str:
    """The bin of a score from 1 to 10; halves go up."""
    return BINS[min(len(BINS) - 1, (int(score + 0.5) - 1) // 2)]


SCORES = Probe(
    name="scores",
    counts=("graded", "saturated", *BINS),
    observe=observe,
    definitions=(
        MetricDefinition(
            name="score_saturation",
            meaning="all answers of a request score 9 and 10, or all 1 and 2, of 10",
            count=lambda c: c["saturated"],
            n=lambda c: c["graded"],
        ),
    ),
)
