"""The settling rule of mode `rubric`: a score for each criterion, and their weighted total.

A judge's lowest label stands for the criterion's low end and its highest for the high end; everything
between is linear. So a mean of 5.5 on a judge's 1 to 10 is 3 on a criterion's 1 to 5, and P(yes) = .25 of
a judge that says yes or no is 2.

The total is the weighted mean of the criteria, each as a share of its scale. It runs from 0 (all at their
low ends) to 1 (all at their high ends), so that a scale's width is not a hidden weight.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import fsum, sqrt

from judgestream.core.passes import explanation_in
from judgestream.core.reconcile import Settlement, readable
from judgestream.core.rubric import Criterion, CriterionScore, Rubric
from judgestream.core.templates.base import Grammar
from judgestream.core.types import (
    CandidateScore,
    PassResult,
    Reading,
    Request,
    Status,
)

Z = 1.96
"""Standard deviations on either side of an interval: 95 % of a normal distribution."""


ROUNDING = 1e-6
"""A score this much below its threshold, as a share of the scale, still reaches it. Beyond that a judge
rounds differently from batch to batch."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Share:
    """Mean and variance of a criterion's score as a share of its scale, 0 to 1."""

    mean: float
    variance: float

    def interval(self) -> tuple[float, float]:
        half = Z * sqrt(self.variance)
        return max(0.0, self.mean - half), min(1.0, self.mean + half)


def settle_rubric(request: Request, passes: Sequence[PassResult]) -> Settlement:
    """One answer: each criterion's expected score, the total, and whether they reach their thresholds.

    With and without the reference, a criterion's distributions are averaged. The answer passes if every
    criterion with a threshold passes, and the total reaches its own; without any threshold nothing is
    decided. Thresholds are compared with the expected scores, not with the ends of their intervals.

    One unreadable criterion makes the request unscored: a total of the others would be another measure.
    """
    rubric = request.rubric
    if rubric is None or not passes:
        raise ValueError(f"request {request.request_id!r} has no rubric or no pass to settle")
    (candidate,) = request.candidates
    _, unscored = readable(request, passes)
    if unscored is not None:
        return unscored
    shares = [_share_of(criterion, passes) for criterion in rubric.criteria]
    criteria = tuple(map(_score, rubric.criteria, shares))
    total = weighted(rubric, shares)
    passed = _passed(rubric, criteria, total.mean)
    low, high = total.interval()
    score = CandidateScore(
        candidate_id=candidate.id,
        score=total.mean,
        system=candidate.system,
        length=candidate.length,
        criteria=criteria,
        passed=passed,
        low=low,
        high=high,
    )
    return Settlement(
        status=Status.SCORED,
        scores=(score,),
        passed=passed,
        explanation=_explanations(passes) if request.options.explain else "",
    )


def _explanations(passes: Sequence[PassResult]) -> str:
    """What the judge wrote about each criterion, below its id."""
    texts = ((one.transform.criterion, explanation_in(one)) for one in passes)
    return "\n\n".join(f"{criterion}: {text}" for criterion, text in texts if text)


def weighted(rubric: Rubric, shares: Sequence[Share]) -> Share:
    """The total. Each prompt reads one criterion by itself, so the variances add up as those of independent
    numbers do."""
    weights = [criterion.weight for criterion in rubric.criteria]
    whole = fsum(weights)
    return Share(
        mean=fsum(w * one.mean for w, one in zip(weights, shares, strict=True)) / whole,
        variance=fsum(w * w * one.variance for w, one in zip(weights, shares, strict=True))
        / whole**2,
    )


def share_of_reading(result: PassResult) -> tuple[float, float]:
    """Mean and mean square of a reading of one label, as a share of the judge's own scale."""
    reading, grammar = result.reading, result.grammar
    if not isinstance(reading, Reading) or grammar is None:
        raise ValueError(f"pass {result.transform.name} has no reading to settle")
    lowest, highest = _scale(grammar)
    mean = (reading.means[0] - lowest) / (highest - lowest)
    probs = result.reply.score_probs
    if not probs:
        return mean, mean * mean
    places = [(value - lowest) / (highest - lowest) for value in grammar.values]
    square = fsum(p * place * place for p, place in zip(probs, places, strict=True)) / fsum(probs)
    return mean, square


def _share_of(criterion: Criterion, passes: Sequence[PassResult]) -> Share:
    """The average of the criterion's distributions."""
    moments = [share_of_reading(one) for one in passes if one.transform.criterion == criterion.id]
    if not moments:
        raise ValueError(f"criterion {criterion.id!r} has no pass to settle")
    mean = fsum(mean for mean, _ in moments) / len(moments)
    square = fsum(square for _, square in moments) / len(moments)
    return Share(mean=mean, variance=max(0.0, square - mean * mean))


def _score(criterion: Criterion, share: Share) -> CriterionScore:
    width = criterion.high - criterion.low
    low, high = share.interval()
    score = criterion.low + share.mean * width
    threshold = criterion.pass_threshold
    return CriterionScore(
        criterion_id=criterion.id,
        score=score,
        low=criterion.low + low * width,
        high=criterion.low + high * width,
        passed=None if threshold is None else score >= threshold - ROUNDING * width,
    )


def _passed(rubric: Rubric, criteria: Sequence[CriterionScore], total: float) -> bool | None:
    decided = [one.passed for one in criteria if one.passed is not None]
    if rubric.pass_threshold is not None:
        decided.append(total >= rubric.pass_threshold - ROUNDING)
    return all(decided) if decided else None


def _scale(grammar: Grammar) -> tuple[float, float]:
    values = grammar.values
    return min(values), max(values)
