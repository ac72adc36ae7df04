"""Settling by a reward model: one value per answer, so there is no order and no position.

Every pass shows one candidate. With and without the reference a candidate has two values, whose mean counts.
"""

from collections.abc import Sequence
from math import exp, fsum

from judgestream.core.preference import Preference
from judgestream.core.ranking import Ranking
from judgestream.core.reconcile import Settlement, mean_scores, preference, readable
from judgestream.core.rewards import outcomes
from judgestream.core.types import PassResult, Reading, Request, Status

METHOD = "reward"


def settle_pair(request: Request, passes: Sequence[PassResult]) -> Settlement:
    """Two candidates: the most probable outcome for the difference of their values.

    Exactly symmetric: swapping the candidates of a request mirrors its verdict.
    """
    readings, unscored = readable(request, passes)
    if unscored is not None:
        return unscored
    first, second = _values(request, passes)
    win, tie, lose = outcomes(first - second, _margin(readings))
    side = preference(win, tie, lose)
    return Settlement(
        status=Status.SCORED,
        winner=side.winner([candidate.id for candidate in request.candidates]),
        tie=side is Preference.TIE,
        scores=mean_scores(request, (_by_candidate(request, passes),)),
        p_win=win,
        p_tie=tie,
        p_lose=lose,
        confidence=max(win, tie, lose),
        method=METHOD,
    )


def settle_single(request: Request, passes: Sequence[PassResult]) -> Settlement:
    """One candidate: the score of its value. No winner."""
    _, unscored = readable(request, passes)
    if unscored is not None:
        return unscored
    scores = mean_scores(request, (_by_candidate(request, passes),))
    return Settlement(status=Status.SCORED, scores=scores, method=METHOD)


def settle_ranking(request: Request, passes: Sequence[PassResult]) -> Settlement:
    """Any number of candidates: a ranking by value.

    P(best) is the share of exp(value): the only rule that agrees with Bradley and Terry for every two of the
    candidates and whose shares do not change when others leave (Luce 1959, "Individual Choice Behavior").
    """
    _, unscored = readable(request, passes)
    if unscored is not None:
        return unscored
    values = _values(request, passes)
    weights = [exp(value - max(values)) for value in values]
    ranking = Ranking.of_scores(values, [weight / fsum(weights) for weight in weights])
    return Settlement(
        status=Status.SCORED,
        winner=ranking.winner([candidate.id for candidate in request.candidates]),
        tie=ranking.tie,
        scores=ranking.on(mean_scores(request, (_by_candidate(request, passes),))),
        confidence=ranking.confidence,
        method=METHOD,
    )


def _of(candidate: int, passes: Sequence[PassResult]) -> list[Reading]:
    """The readings of the passes that show this candidate."""
    return [
        result.reading
        for result in passes
        if isinstance(result.reading, Reading) and result.transform.order == (candidate,)
    ]


def _values(request: Request, passes: Sequence[PassResult]) -> list[float]:
    """The mean value of each candidate, in units of log-odds."""
    every = [[r.values[0] for r in _of(k, passes)] for k in range(len(request.candidates))]
    return [fsum(values) / len(values) for values in every]


def _margin(readings: Sequence[Reading]) -> float:
    """The tie margin. One release gives all of them, so they are equal."""
    return max(reading.values[1] for reading in readings)


def _by_candidate(request: Request, passes: Sequence[PassResult]) -> Reading:
    """All candidates' mean scores as one reading."""
    means = []
    for k in range(len(request.candidates)):
        scores = [reading.means[0] for reading in _of(k, passes)]
        means.append(fsum(scores) / len(scores))
    return Reading(means=tuple(means), greedy=())
