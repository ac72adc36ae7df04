"""Leniency: how often a judge applies its criteria, and what it says where it does not.

The model of "Judging the Judges" (arXiv 2406.12624, section on leniency bias): the judge follows the criteria
with probability `criteria` (the paper's Pc); else it says "correct" with probability `positive` (P+). With S+
and S- the shares of truly correct and incorrect items that it calls correct,

    criteria = S+ - S-        positive = S- / (1 - criteria)

A judge is lenient if `positive` is above one half.
"""

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from judgestream.evaluation.delta import IMAGINED, Figure, figure
from judgestream.evaluation.macro import Table

CORRECT, INCORRECT = True, False


@dataclass(frozen=True, kw_only=True, slots=True)
class Leniency:
    """Of (truth, verdict) pairs: `criteria` is Pc, -1 to 1, and `positive` is P+, 0 to 1.

    None where the data do not determine it: without items of both kinds; P+ also of a judge that always
    applies the criteria (1 - Pc = 0) or is worse than chance (Pc < 0, outside the model).
    """

    criteria: float | None
    positive: float | None


def leniency(confusion: Table) -> Leniency:
    """Leniency of a confusion of (truth, verdict), each True for correct; other keys raise.

    Raises:
        ValueError: a key that is not a pair of booleans.
    """
    for key in confusion:
        if not all(isinstance(one, bool) for one in key):
            raise ValueError(
                f"{key!r} is not a pair of True or False: leniency needs binary verdicts"
            )
    correct = confusion.get((CORRECT, CORRECT), 0) + confusion.get((CORRECT, INCORRECT), 0)
    incorrect = confusion.get((INCORRECT, CORRECT), 0) + confusion.get((INCORRECT, INCORRECT), 0)
    if not correct or not incorrect:
        return Leniency(criteria=None, positive=None)
    of_correct = confusion.get((CORRECT, CORRECT), 0) / correct
    of_incorrect = confusion.get((INCORRECT, CORRECT), 0) / incorrect
    criteria = of_correct - of_incorrect
    if not 0.0 <= criteria < 1.0:
        return Leniency(criteria=criteria, positive=None)
    return Leniency(criteria=criteria, positive=of_incorrect / (1.0 - criteria))


def leniency_figures(
    pairs: Sequence[tuple[bool, bool]], clusters: Sequence[Hashable] | None = None
) -> dict[str, Figure]:
    """`criteria` and `positive` with their intervals, see `delta.figure`."""
    counts = leniency(Counter(pairs))
    unknown = Figure(value=None, n=len(pairs), clusters=0, design_effect=1.0, interval=None)
    rows: Sequence[tuple[Hashable, Hashable]] = pairs
    shown = {"criteria": unknown, "positive": unknown}
    if counts.criteria is not None:
        shown["criteria"] = figure(
            lambda table: leniency(table).criteria,
            rows,
            clusters,
            outcomes=(CORRECT, INCORRECT),
            imagined=IMAGINED,
            lowest=-1.0,
        )
    if counts.positive is not None:
        shown["positive"] = figure(
            lambda table: leniency(table).positive,
            rows,
            clusters,
            outcomes=(CORRECT, INCORRECT),
            imagined=IMAGINED,
        )
    return shown
