"""Pairs of images of which each was scored alone: what is preferred, given what counts as a tie."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from judgestream.core.preference import Preference
from judgestream.core.settling.reward import METHOD as BY_VALUE
from judgestream.core.types import Reading, Status, Verdict
from judgestream.evaluation.clusters import clustered_share
from judgestream.evaluation.score_spread import scaled
from judgestream.suites.report import Cell, Figure

SHARES = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2)
"""Thresholds of values, as shares of a scorer's range."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoredPair:
    """Two images, the better one, and their scores."""

    gold: Preference
    first: float
    second: float
    cluster: Hashable

    def said(self, near: float) -> Preference:
        """The image with the higher score; a tie if the scores differ by at most `near`."""
        if abs(self.first - self.second) <= near:
            return Preference.TIE
        return Preference.between(self.first, self.second)


def accuracies(pairs: Sequence[ScoredPair], near: float) -> tuple[Figure, Figure]:
    """Ties are wrong; ties are left out. Source: MJ-Bench (arXiv 2407.04842), whose threshold is zeta."""
    decided = [one for one in pairs if one.said(near)]
    with_ties, without = (
        clustered_share([one.said(near) == one.gold for one in rows], [one.cluster for one in rows])
        for rows in (pairs, decided)
    )
    return (
        Figure.of("accuracy_with_ties", with_ties),
        Figure.of("accuracy_without_ties", without),
    )


def scores_of(verdict: Verdict | None) -> tuple[float, ...]:
    """What a judge gave each image, in the request's order; () without a judgement.

    Of an image scorer these are its values: its scores of 1 to 10 bend their scale, and the paper's figures
    compare the differences of values.
    """
    if verdict is None or verdict.status is not Status.SCORED:
        return ()
    if verdict.method != BY_VALUE:
        scores = tuple(one.score for one in verdict.scores if one.score is not None)
        return scores if len(scores) == len(verdict.scores) else ()
    found: dict[int, list[float]] = {}
    for one in verdict.passes:
        if (
            isinstance(one.reading, Reading)
            and one.reading.values
            and len(one.transform.order) == 1
        ):
            found.setdefault(one.transform.order[0], []).append(one.reading.values[0])
    if sorted(found) != list(range(len(verdict.scores))):
        return ()
    return tuple(fmean(found[place]) for place in sorted(found))


def by_value(verdict: Verdict | None) -> bool:
    """Whether an image scorer judged."""
    return verdict is not None and verdict.method == BY_VALUE


def level(pairs: Sequence[ScoredPair]) -> list[ScoredPair]:
    """The pairs with their scores scaled to 0 to 1, as scorers have their own scales."""
    values = scaled([value for one in pairs for value in (one.first, one.second)])
    return [
        replace(one, first=values[2 * k], second=values[2 * k + 1]) for k, one in enumerate(pairs)
    ]


def by_threshold(pairs: Sequence[ScoredPair]) -> list[tuple[Cell, ...]]:
    """Threshold, accuracy with ties and without, of one scorer's pairs."""
    compared = level(pairs)
    return [(near, *accuracies(compared, near)) for near in SHARES]
