"""Pairs of images of which each was scored alone: what is preferred, given what counts as a tie."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from judgestream.core.preference import Preference
from judgestream.evaluation.clusters import clustered_share
from judgestream.suites.report import Figure


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
