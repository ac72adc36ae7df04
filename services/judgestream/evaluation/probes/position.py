"""Position bias: whether the judge prefers an answer for the place where it is shown."""

from judgestream.core.order_sampling import weight_of
from judgestream.core.preference import Preference
from judgestream.core.types import Verdict
from judgestream.evaluation.position import lean_of
from judgestream.evaluation.probes.base import Counts, MetricDefinition, Probe

ORDERED = "ordered"
"""Verdicts with both candidate orders read: consistent + toward_first + toward_second."""

BY_LEAN = {
    Preference.TIE: "consistent",
    Preference.FIRST: "toward_first",
    Preference.SECOND: "toward_second",
}


def observe(verdict: Verdict) -> Counts:
    """One observation a verdict, even where it was judged with and without its reference.

    A pair that was sampled to be judged in both orders counts for those that were not, see `weight_of`.
    """
    leaning = lean_of(verdict)
    if leaning is None:
        return {}
    weight = weight_of(verdict)
    return {ORDERED: weight, BY_LEAN[leaning]: weight}


POSITION = Probe(
    name="position",
    counts=(ORDERED, *BY_LEAN.values()),
    observe=observe,
    definitions=(
        MetricDefinition(
            name="flip_consistency",
            meaning="both candidate orders lead to the same preference",
            count=lambda c: c["consistent"],
            n=lambda c: c[ORDERED],
        ),
        MetricDefinition(
            name="bias_toward_first",
            meaning="each candidate fares better when it is shown first",
            count=lambda c: c["toward_first"],
            n=lambda c: c[ORDERED],
        ),
        MetricDefinition(
            name="bias_toward_second",
            meaning="each candidate fares better when it is shown second",
            count=lambda c: c["toward_second"],
            n=lambda c: c[ORDERED],
        ),
        MetricDefinition(
            name="delta_bias",
            meaning="absolute difference of bias_toward_first and bias_toward_second",
            count=lambda c: c["toward_first"],
            against=lambda c: c["toward_second"],
            n=lambda c: c[ORDERED],
        ),
    ),
)
