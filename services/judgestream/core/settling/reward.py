"""Settling by a reward model: one value per answer, so there is no order and no position.

Every pass shows one candidate. With and without the reference a candidate has two values, whose mean counts.
"""

from collections.abc import Callable, Sequence
from math import exp, fsum

from judgestream.core.preference import Preference
from judgestream.core.ranking import Ranking
from judgestream.core.reconcile import Settlement, mean_scores, preference, readable
from judgestream.core.rewards import outcomes, score_of
from judgestream.core.types import CandidateScore, PassResult, Reading, Request, Status

METHOD = "reward"


def settle_pair(request: Request, passes: Sequence[PassResult]) -> Settlement:
    """Two candidates: the most probable outcome for the difference of their values.

    Exactly symmetric: swapping the candidates of a request mirrors its verdict.
    """
    readings, unscored = readable(request, passes)
    if unscored is not None:
        return unscored
    values = _values(request, passes)
    first, second = values
    win, tie, lose = outcomes(first - second, _margin(readings))
    side = preference(win, tie, lose)
    return Settlement(
        status=Status.SCORED,
        winner=side.winner([candidate.id for candidate in request.candidates]),
        tie=side is Preference.TIE,
        scores=_scores(request, [score_of(value) for value in values]),
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
    scores = _scores(request, [score_of(value) for value in _values(request, passes)])
    return Settlement(status=Status.SCORED, scores=scores, method=METHOD)


def settle_multi(request: Request, passes: Sequence[PassResult]) -> Settlement:
    """Any number of candidates: a ranking by value, with the scores of the values."""
    return _ranked(request, passes, lambda values: [score_of(value) for value in values])


def settle_tournament(request: Request, passes: Sequence[PassResult]) -> Settlement:
    """The same ranking. As in every tournament, the scores are log-strengths, less their mean: the values."""
    return _ranked(request, passes, lambda values: [v - fsum(values) / len(values) for v in values])


def _ranked(
    request: Request,
    passes: Sequence[PassResult],
    scores_of: Callable[[Sequence[float]], Sequence[float]],
) -> Settlement:
    """A ranking by value.

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
        scores=ranking.on(_scores(request, scores_of(values))),
        confidence=ranking.confidence,
        method=METHOD,
    )


def _values(request: Request, passes: Sequence[PassResult]) -> list[float]:
    """The mean value of each candidate, in units of log-odds."""
    every: list[list[float]] = [[] for _ in request.candidates]
    for result in passes:
        if isinstance(result.reading, Reading):
            (shown,) = result.transform.order
            every[shown].append(result.reading.values[0])
    return [fsum(values) / len(values) for values in every]


def _margin(readings: Sequence[Reading]) -> float:
    """The tie margin. One release gives all of them, so they are equal."""
    return max(reading.values[1] for reading in readings)


def _scores(request: Request, scores: Sequence[float]) -> tuple[CandidateScore, ...]:
    """One score per candidate. They follow from the mean values, so they have the order of the verdict."""
    return mean_scores(request, (Reading(means=tuple(scores), greedy=()),))
