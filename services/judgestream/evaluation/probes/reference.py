"""Knowledge and format: whether showing the reference answer changes the preference.

JudgeLM (arXiv 2310.17631) calls a judge without a reference limited by its knowledge, and one that judges
worse in the form that it was not trained in biased by format. Requests with `reference_use: both` show it
live: the same pair is judged with and without its reference.
"""

from collections.abc import Sequence
from math import fsum

from judgestream.core.preference import Preference
from judgestream.core.reconcile import preference
from judgestream.core.types import PassResult, Reading, Verdict
from judgestream.evaluation.probes.base import Counts, MetricDefinition, Probe


def observe(verdict: Verdict) -> Counts:
    """One observation for a pair judged in both ways, in the same orders; none for a jury, whose passes are
    of several judges."""
    if verdict.members or len(verdict.scores) != 2:
        return {}
    ways = [
        [one for one in verdict.passes if one.transform.with_reference is shown]
        for shown in (True, False)
    ]
    orders, others = ({one.transform.order for one in way} for way in ways)
    if orders != others:
        return {}
    with_reference, without = map(_preference, ways)
    if with_reference is None or without is None:
        return {}
    changed = with_reference is not without
    turned = with_reference is without.mirrored and changed
    return {"both_ways": 1, "reference_changed": int(changed), "reference_turned": int(turned)}


def _preference(passes: Sequence[PassResult]) -> Preference | None:
    """By the probabilities averaged over the orders; None without passes, and where one was not read."""
    rows = []
    for one in passes:
        read = one.reading
        if (
            not isinstance(read, Reading)
            or read.win is None
            or read.tie is None
            or read.lose is None
        ):
            return None
        rows.append((read.win, read.tie, read.lose))
    if not rows:
        return None
    win, tie, lose = (fsum(column) / len(rows) for column in zip(*rows, strict=True))
    return preference(win, tie, lose)


REFERENCE = Probe(
    name="reference",
    counts=("both_ways", "reference_changed", "reference_turned"),
    observe=observe,
    definitions=(
        MetricDefinition(
            name="reference_change",
            meaning="the preference with the reference shown differs from that without it",
            count=lambda c: c["reference_changed"],
            n=lambda c: c["both_ways"],
        ),
        MetricDefinition(
            name="reference_reversal",
            meaning="with the reference shown the other answer wins",
            count=lambda c: c["reference_turned"],
            n=lambda c: c["both_ways"],
        ),
    ),
)
