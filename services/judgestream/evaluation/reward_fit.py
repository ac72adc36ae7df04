"""The scale and the tie margin of a reward model, fitted to labelled pairs.

The model is that of `core.rewards`: with the difference x of two raw values, P(first better) is
s(x / scale - m), and so on. The fit maximises the likelihood in 1 / scale and m. Its logarithm is concave in
both, so there is one maximum, which Newton's method finds. Pairs are taken as independent.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import exp, fsum, log, sqrt

from judgestream.core.preference import Preference
from judgestream.core.rewards import outcomes, sigmoid

LEAST_PAIRS = 100
"""With fewer pairs the fit is noise."""

MOST_STEPS = 100
_FLAT = 1e-10
_LEAST = 1e-12
"""Lower bound of a probability in a reported likelihood."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RewardFit:
    """The numbers for `checkpoints.reward_scale`, and what they do to the pairs that they were fitted to.

    scale         raw value per unit of log-odds; `scale_error` is its standard error
    margin        of a tie, in units of log-odds, 0 without a tie; `margin_error`
    n, ties       pairs, and those whose truth is a tie
    right         pairs whose most probable outcome is the truth
    nll           mean negative log-likelihood of the truth, in nats
    nll_shares    the same if every pair got the shares of the three outcomes among these pairs
    """

    scale: float
    scale_error: float
    margin: float
    margin_error: float
    n: int
    ties: int
    right: int
    nll: float
    nll_shares: float


def fit_rewards(differences: Sequence[float], truths: Sequence[Preference]) -> RewardFit:
    """Fit to pairs, each with first raw value less second raw value, and its truth.

    Raises:
        ValueError: the pairs do not determine the numbers; the message says why.
    """
    pairs = list(zip(differences, truths, strict=True))
    ties = sum(truth is Preference.TIE for _, truth in pairs)
    spread = sqrt(fsum(x * x for x, _ in pairs) / max(1, len(pairs)))
    if problem := _undetermined(pairs, spread):
        raise ValueError(problem)
    scaled = [(x / spread, truth) for x, truth in pairs]
    slope, margin, errors = _maximum(scaled, with_ties=ties > 0)
    if slope <= 0:
        raise ValueError(
            "the better answers do not have the higher values: this reward model does not predict these"
            " labels"
        )
    scale = spread / slope
    chances = [outcomes(x / scale, margin) for x in differences]
    return RewardFit(
        scale=scale,
        scale_error=scale * errors[0] / slope,
        margin=margin,
        margin_error=errors[1],
        n=len(pairs),
        ties=ties,
        right=sum(
            _chance(truth, chance) == max(chance)
            for truth, chance in zip(truths, chances, strict=True)
        ),
        nll=_mean_nll(_chance(t, chance) for t, chance in zip(truths, chances, strict=True)),
        nll_shares=_mean_nll(truths.count(truth) / len(pairs) for truth in truths),
    )


def _undetermined(pairs: Sequence[tuple[float, Preference]], spread: float) -> str:
    """Why these pairs determine no scale; "" if they do."""
    if len(pairs) < LEAST_PAIRS:
        return f"{len(pairs)} pairs are too few to fit a scale; {LEAST_PAIRS} are needed"
    if not spread:
        return "all pairs have equal values, which says nothing about a scale"
    decided = [x * truth for x, truth in pairs if truth]
    if not decided:
        return "all pairs are ties, which says nothing about a scale"
    if min(decided) <= 0:
        return ""
    if len(decided) == len(pairs):
        return (
            "in all pairs the better answer has the higher value, which sets no bound on confidence"
        )
    if max(abs(x) for x, truth in pairs if not truth) <= min(decided):
        return (
            "the values separate the outcomes of these pairs without an error, which sets no bound on"
            " confidence: more or harder pairs are needed"
        )
    return ""


def _maximum(
    pairs: Sequence[tuple[float, Preference]], *, with_ties: bool
) -> tuple[float, float, tuple[float, float]]:
    """Slope (of differences with root mean square 1), margin, and their standard errors.

    Without a tie the likelihood decreases in the margin, which is 0 then.
    """
    slope, margin = 0.0, log(2) if with_ties else 0.0
    value = _log_likelihood(pairs, slope, margin)
    for _ in range(MOST_STEPS):
        gradient, curvature = _derivatives(pairs, slope, margin, with_ties=with_ties)
        (a, b, c), (g, h) = curvature, gradient
        determinant = a * c - b * b
        if a >= 0 or determinant <= 0:
            raise ValueError(
                "the pairs determine no scale and margin: their labels contradict each other"
            )
        step = ((b * h - c * g) / determinant, (b * g - a * h) / determinant)
        if max(map(abs, step)) < _FLAT:
            return slope, margin, (sqrt(-c / determinant), sqrt(-a / determinant) * with_ties)
        share = 1.0
        while (
            True
        ):  # shorter steps until the likelihood does not fall; Newton's is an ascent direction
            tried = slope + share * step[0], margin + share * step[1]
            if not with_ties or tried[1] > 0:
                found = _log_likelihood(pairs, *tried)
                if found >= value or share < _FLAT:
                    break
            share /= 2
        (slope, margin), value = tried, found
    raise ValueError(
        f"no scale and margin after {MOST_STEPS} steps: the labels are almost separated by the values"
    )


def _log_likelihood(
    pairs: Sequence[tuple[float, Preference]], slope: float, margin: float
) -> float:
    return fsum(log(max(_LEAST, _chance(truth, outcomes(slope * x, margin)))) for x, truth in pairs)


def _derivatives(
    pairs: Sequence[tuple[float, Preference]], slope: float, margin: float, *, with_ties: bool
) -> tuple[tuple[float, float], tuple[float, float, float]]:
    """Gradient, and second derivatives (slope twice, mixed, margin twice), of the log-likelihood.

    P(tie) = s(x - m) s(-x - m) (e^2m - 1): a tie has the terms of both sides, and one of the margin alone.
    """
    g = h = a = b = c = 0.0
    for x, truth in pairs:
        for side in (1, -1):
            if truth == -side:
                continue
            chance = sigmoid(side * slope * x - margin)
            towards = side * x
            g += (1 - chance) * towards
            h -= 1 - chance
            weight = chance * (1 - chance)
            a -= weight * towards * towards
            b += weight * towards
            c -= weight
        if truth is Preference.TIE:
            rest = 1 - exp(-2 * margin)
            h += 2 / rest
            c -= 4 * exp(-2 * margin) / (rest * rest)
    if not with_ties:  # the margin is fixed
        return (g, 0.0), (a, 0.0, -1.0)
    return (g, h), (a, b, c)


def _chance(truth: Preference, chances: tuple[float, float, float]) -> float:
    """Of P(first better), P(tie), P(second better): that of the truth."""
    return chances[1 - truth]


def _mean_nll(chances: Iterable[float]) -> float:
    logs = [log(max(_LEAST, chance)) for chance in chances]
    return -fsum(logs) / len(logs)
