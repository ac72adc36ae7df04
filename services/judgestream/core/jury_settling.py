"""The rules by which the verdicts of a jury's members become one outcome: see `core.jury`, `core.cascade`."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import fsum
from statistics import median

from judgestream.core.cascade import judges_alone
from judgestream.core.errors import JudgestreamError
from judgestream.core.jury import Juror, JuryRecord, JuryRule
from judgestream.core.modes import Mode
from judgestream.core.preference import Preference
from judgestream.core.ranking import Ranking
from judgestream.core.reconcile import Settlement, mean_scores, preference
from judgestream.core.rubric import CriterionScore
from judgestream.core.types import CandidateScore, Release, Request, Status, Verdict

Shares = tuple[float, float, float]
"""P(first better), P(equal), P(second better)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What one member made of the request: its verdict, or the error by which it refused the request."""

    juror: Juror
    release: Release
    result: Verdict | JudgestreamError


def voters(record: JuryRecord, outcomes: Sequence[Outcome]) -> list[Outcome]:
    """The members that decide: those with a scored verdict; of a cascade without a vote the last of them."""
    scored = [
        one
        for one in outcomes
        if isinstance(one.result, Verdict) and one.result.status is Status.SCORED
    ]
    return scored[-1:] if judges_alone(record, len(outcomes)) else scored


def settle_jury(
    request: Request, mode: Mode, record: JuryRecord, outcomes: Sequence[Outcome]
) -> Settlement:
    """The members' scored verdicts by the rule of the record.

    Args:
        outcomes: of the members that were asked.
    """
    votes = [
        _Vote(weight=one.juror.weight, verdict=one.result)
        for one in voters(record, outcomes)
        if isinstance(one.result, Verdict)
    ]
    if votes and judges_alone(record, len(outcomes)):
        return _taken_over(votes[0].verdict)
    if len(votes) < record.quorum:
        return Settlement(
            status=Status.UNSCORED,
            reason=_no_quorum(record, outcomes),
            scores=mean_scores(request, ()),
        )
    scores = _scores(request, record.vote, votes)
    shares = _shares(record.vote, votes)
    if any(one.rank for vote in votes for one in vote.verdict.scores):
        return _ranked(request, scores, votes)
    if shares is None:
        winner, tie = _most_votes(votes)
        return Settlement(status=Status.SCORED, winner=winner, tie=tie, scores=scores)
    side = preference(*shares)
    return Settlement(
        status=Status.SCORED,
        winner=side.winner([candidate.id for candidate in request.candidates]),
        tie=side is Preference.TIE,
        scores=scores,
        p_win=shares[0],
        p_tie=shares[1],
        p_lose=shares[2],
        confidence=max(shares),
        flipped=_flipped(request, mode, record.vote, votes),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Vote:
    weight: float
    verdict: Verdict | Settlement


def _taken_over(verdict: Verdict | Settlement) -> Settlement:
    """One member's verdict as the jury's."""
    return Settlement(
        status=verdict.status,
        winner=verdict.winner,
        tie=verdict.tie,
        scores=verdict.scores,
        p_win=verdict.p_win,
        p_tie=verdict.p_tie,
        p_lose=verdict.p_lose,
        confidence=verdict.confidence,
        flipped=verdict.flipped,
    )


def _shares(rule: JuryRule, votes: Sequence[_Vote]) -> Shares | None:
    """The shares of the votes, or the averaged probabilities; None where a member gives no probabilities."""
    each = [_chances(vote.verdict) for vote in votes]
    known = [chances for chances in each if chances is not None]
    if len(known) < len(votes):
        return None
    if rule is JuryRule.MAJORITY:
        known = [_vote_for(preference(*chances)) for chances in known]
    win, tie, lose = (_mean([chances[k] for chances in known], votes) for k in range(3))
    return win, tie, lose


def _chances(verdict: Verdict | Settlement) -> Shares | None:
    win, tie, lose = verdict.p_win, verdict.p_tie, verdict.p_lose
    return None if win is None or tie is None or lose is None else (win, tie, lose)


def _vote_for(side: Preference) -> Shares:
    return (
        float(side is Preference.FIRST),
        float(side is Preference.TIE),
        float(side is Preference.SECOND),
    )


def _mean(values: Sequence[float], votes: Sequence[_Vote]) -> float:
    """Exactly rounded sums, so that exchanged candidates mirror the result."""
    weights = [vote.weight for vote in votes]
    total = fsum(weights)
    return fsum(weight * value for weight, value in zip(weights, values, strict=True)) / total


def _ranked(
    request: Request, scores: tuple[CandidateScore, ...], votes: Sequence[_Vote]
) -> Settlement:
    """The candidates by the jury's scores, as JudgeRank averages those of several judges, with the mean of
    the members' P(best)."""
    rows = [{one.candidate_id: one.p_best for one in vote.verdict.scores} for vote in votes]
    p_best: list[float] = []
    for candidate in request.candidates:
        known = [share for row in rows if (share := row.get(candidate.id)) is not None]
        if len(known) == len(votes):
            p_best.append(_mean(known, votes))
    whole = len(p_best) == len(request.candidates)
    ranking = Ranking.of_scores([one.score for one in scores], p_best if whole else ())
    return Settlement(
        status=Status.SCORED,
        winner=ranking.winner([candidate.id for candidate in request.candidates]),
        tie=ranking.tie,
        scores=ranking.on(scores),
        confidence=ranking.confidence,
    )


def _most_votes(votes: Sequence[_Vote]) -> tuple[str, bool]:
    """The winner with the largest weight, "" where there is none, and whether that is a tie."""
    weights: defaultdict[str, list[float]] = defaultdict(list)
    for vote in votes:
        if vote.verdict.winner or vote.verdict.tie:
            weights[vote.verdict.winner].append(vote.weight)
    if not weights:
        return "", False
    sums = {winner: fsum(each) for winner, each in weights.items()}
    best = [winner for winner, weight in sums.items() if weight == max(sums.values())]
    winner = best[0] if len(best) == 1 else ""
    return winner, not winner


def _scores(request: Request, rule: JuryRule, votes: Sequence[_Vote]) -> tuple[CandidateScore, ...]:
    scores = []
    for blank in mean_scores(request, ()):
        given = [
            (one, vote)
            for vote in votes
            for one in vote.verdict.scores
            if one.candidate_id == blank.candidate_id
        ]
        numbers = [(one.score, vote) for one, vote in given if one.score is not None]
        passes = [(float(one.passed), vote) for one, vote in given if one.passed is not None]
        scores.append(
            replace(
                blank,
                score=_average(rule, numbers),
                criteria=_criteria(rule, [(one.criteria, vote) for one, vote in given]),
                passed=_most(passes),
            )
        )
    return tuple(scores)


def _criteria(
    rule: JuryRule, given: Sequence[tuple[Sequence[CriterionScore], _Vote]]
) -> tuple[CriterionScore, ...]:
    """Every criterion's score by the jury's rule. It has no interval: the members' intervals show how sure
    each member is, and not how far they agree."""
    found: defaultdict[str, list[tuple[CriterionScore, _Vote]]] = defaultdict(list)
    for criteria, vote in given:
        for one in criteria:
            found[one.criterion_id].append((one, vote))
    return tuple(
        CriterionScore(
            criterion_id=name,
            score=_average(rule, [(c.score, vote) for c, vote in each if c.score is not None]),
            passed=_most([(float(c.passed), vote) for c, vote in each if c.passed is not None]),
        )
        for name, each in found.items()
    )


def _most(passes: Sequence[tuple[float, _Vote]]) -> bool | None:
    """Whether more than half of the weight says that the answer passes; None if no member decides it."""
    return _mean(*_columns(passes)) > 0.5 if passes else None


def _average(rule: JuryRule, numbers: Sequence[tuple[float, _Vote]]) -> float | None:
    if not numbers:
        return None
    if rule is JuryRule.MAJORITY:
        return median(number for number, _ in numbers)
    return _mean(*_columns(numbers))


def _columns(rows: Sequence[tuple[float, _Vote]]) -> tuple[list[float], list[_Vote]]:
    return [number for number, _ in rows], [vote for _, vote in rows]


def _flipped(request: Request, mode: Mode, rule: JuryRule, votes: Sequence[_Vote]) -> bool | None:
    """Whether the jury would decide differently from the straight passes of its members than from the swapped
    ones; None unless every member has both."""
    sides = []
    for straight in (True, False):
        halves = []
        for vote in votes:
            if not isinstance(vote.verdict, Verdict):
                return None
            passes = [
                one for one in vote.verdict.passes if (one.transform.order == (0, 1)) is straight
            ]
            if not passes:
                return None
            halves.append(_Vote(weight=vote.weight, verdict=mode.settle(request, passes)))
        shares = _shares(rule, halves)
        if shares is None:
            return None
        sides.append(preference(*shares))
    return sides[0] != sides[1]


def _no_quorum(record: JuryRecord, outcomes: Sequence[Outcome]) -> str:
    why = [
        f"{one.release.name}: {one.result.reason}"
        if isinstance(one.result, Verdict)
        else f"{one.release.name}: {one.result.code}"
        for one in outcomes
        if not (isinstance(one.result, Verdict) and one.result.status is Status.SCORED)
    ]
    scored = len(outcomes) - len(why)
    return f"quorum: {scored} of {len(outcomes)} scored, {record.quorum} needed ({'; '.join(why)})"
