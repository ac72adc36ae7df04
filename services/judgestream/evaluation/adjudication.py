"""Figures of judges that choose one of two solutions with a known final answer.

"From Calculation to Adjudication" (arXiv 2409.04168): a judgement is correct if the chosen solution's answer
is. With A and B for "the first, the second solution is correct":

    J_full   share of correct judgements
    J_differ the same where the two final answers differ, which is where judging matters
    J_xy     the same given (A, B) = (x, y); J_TT = 1 and J_FF = 0 whatever the judge says
    J_full = p_TT + p_TF J_TF + p_FT J_FT
"""

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from statistics import fmean

from judgestream.evaluation.clusters import Mean, clustered_share


@dataclass(frozen=True, kw_only=True, slots=True)
class Adjudication:
    """One judgement of two solutions.

    first, second   whether they are correct
    differ          whether their final answers differ
    chosen          1 or -1 for the first or the second solution; 0 for none: a tie, or not read
    """

    first: bool
    second: bool
    differ: bool
    chosen: int

    @property
    def correct(self) -> bool:
        """A judgement that chooses none is wrong, also between two correct solutions."""
        return (self.chosen == 1 and self.first) or (self.chosen == -1 and self.second)

    @property
    def case(self) -> str:
        """TT, TF, FT or FF."""
        return ("T" if self.first else "F") + ("T" if self.second else "F")


CASES = ("TT", "TF", "FT", "FF")


@dataclass(frozen=True, kw_only=True, slots=True)
class Adjudged:
    """
    full, differ   J_full and J_differ, None without judgements
    given          J_xy by case, and `counts` n_xy
    gain           J_full less the accuracy of the better solver: whether judging beats solving
    stronger       share of judgements for the better solver where correctness cannot decide (TT and FF)
    accuracies     of the two solvers
    """

    full: Mean | None
    differ: Mean | None
    given: dict[str, Mean | None]
    counts: dict[str, int]
    gain: float | None
    stronger: Mean | None
    accuracies: tuple[float, float] | None


def adjudged(rows: Sequence[Adjudication], clusters: Sequence[Hashable]) -> Adjudged:
    """The figures of one judge on one pair of solvers."""
    both = list(zip(rows, clusters, strict=True))
    full = clustered_share([row.correct for row in rows], clusters)
    differ = [(row, group) for row, group in both if row.differ]
    accuracies = None
    gain = None
    stronger: Mean | None = None
    if rows and full is not None:
        accuracies = fmean(row.first for row in rows), fmean(row.second for row in rows)
        gain = full.value - max(accuracies)
        better = 1 if accuracies[0] >= accuracies[1] else -1
        moot = [(row, group) for row, group in both if row.first == row.second and row.chosen]
        if accuracies[0] != accuracies[1]:
            stronger = clustered_share(
                [row.chosen == better for row, _ in moot], [group for _, group in moot]
            )
    return Adjudged(
        full=full,
        differ=clustered_share([row.correct for row, _ in differ], [group for _, group in differ]),
        given={
            case: clustered_share(
                [row.correct for row in rows if row.case == case],
                [group for row, group in both if row.case == case],
            )
            for case in CASES
        },
        counts={case: Counter(row.case for row in rows)[case] for case in CASES},
        gain=gain,
        stronger=stronger,
        accuracies=accuracies,
    )
