"""The rule of mode `tournament`: strengths from comparisons of two."""

from collections.abc import Sequence
from math import fsum
from statistics import NormalDist

from judgestream.core.bradley_terry import Comparison, Strengths, fit
from judgestream.core.passes import reversed_pairs
from judgestream.core.ranking import Ranking
from judgestream.core.reconcile import Settlement, mean_scores, readable
from judgestream.core.types import CandidateScore, PassResult, Reading, Request, Status

SPREAD = NormalDist().inv_cdf(0.975)
"""Standard deviations on either side of the mean that hold 95 %."""


def settle_tournament(request: Request, passes: Sequence[PassResult]) -> Settlement:
    """Ranks by the log-strengths of the Bradley-Terry model with ties (`core.bradley_terry`).

    A score is a log-strength, less the mean of all candidates: a difference of 1 are odds of 2.7. Every pair
    counts as one comparison, with the mean of its passes' probabilities: its two orders are not independent,
    because one judge reads the same answers. The interval and P(best) come from the model's posterior; they
    say how sure the comparisons make the ranking, not how good the judge is.

    A pass that cannot be read is left out together with its reversed one, so that no position gains. The
    request is unscored if the rest does not connect all candidates.
    """
    count = len(request.candidates)
    kept = _fair(passes)
    _, unscored = readable(request, passes)
    if unscored is not None and not connected(count, kept):
        return unscored
    strengths = fit(count, comparisons(kept))
    ranking = Ranking.of_scores(strengths.means, strengths.p_best())
    return Settlement(
        status=Status.SCORED,
        winner=ranking.winner([candidate.id for candidate in request.candidates]),
        tie=ranking.tie,
        scores=ranking.on(_scores(request, strengths)),
        confidence=ranking.confidence,
        flipped=_flipped(count, kept),
    )


def comparisons(passes: Sequence[PassResult]) -> list[Comparison]:
    """One comparison per pair: the mean of what its readable passes say, as a pairwise verdict has it."""
    readings: dict[tuple[int, ...], list[Reading]] = {}
    for result in passes:
        if isinstance(result.reading, Reading):
            readings.setdefault(result.transform.shown, []).append(result.reading)
    return [
        Comparison(
            first=first,
            second=second,
            win=fsum(r.win or 0.0 for r in of_pair) / len(of_pair),
            tie=fsum(r.tie or 0.0 for r in of_pair) / len(of_pair),
            lose=fsum(r.lose or 0.0 for r in of_pair) / len(of_pair),
        )
        for (first, second), of_pair in sorted(readings.items())
    ]


def connected(count: int, passes: Sequence[PassResult]) -> bool:
    """Whether the passes compare all candidates with each other, directly or through others."""
    groups = {k: {k} for k in range(count)}
    for one in comparisons(passes):
        joined = groups[one.first] | groups[one.second]
        groups |= dict.fromkeys(joined, joined)
    return len(groups[0]) == count


def _fair(passes: Sequence[PassResult]) -> list[PassResult]:
    """The readable passes whose reversed pass, if it was asked, is readable too."""
    unread = {result.transform for result in passes if not isinstance(result.reading, Reading)}
    unread |= {transform.reversed for transform in unread}
    return [result for result in passes if result.transform not in unread]


def _scores(request: Request, strengths: Strengths) -> list[CandidateScore]:
    """Log-strengths with their intervals, in the request's order."""
    return [
        CandidateScore(
            candidate_id=empty.candidate_id,
            score=strengths.means[k],
            system=empty.system,
            length=empty.length,
            low=strengths.means[k] - SPREAD * strengths.deviation(k),
            high=strengths.means[k] + SPREAD * strengths.deviation(k),
        )
        for k, empty in enumerate(mean_scores(request, ()))
    ]


def _flipped(count: int, passes: Sequence[PassResult]) -> bool | None:
    """Whether the two orders, each settled by itself, have different winners; None without both orders."""
    pairs = list(reversed_pairs(passes))
    if not pairs:
        return None
    orders = ([one for one, _ in pairs], [other for _, other in pairs])
    straight, swapped = (
        Ranking.of_scores(fit(count, comparisons(order)).means).best for order in orders
    )
    return straight != swapped
