"""The Bradley-Terry model with ties: strengths of candidates from comparisons of two.

Davidson's model (1970, "On extending the Bradley-Terry model to accommodate ties", JASA 65): with
log-strengths s and a tie parameter t, the outcomes of i against j have the weights

    i better: exp((s_i - s_j) / 2)    equal: exp(t)    j better: exp((s_j - s_i) / 2)

Without ties this is P(i better) = exp(s_i) / (exp(s_i) + exp(s_j)). A comparison may be a distribution over
the three outcomes; then each counts with its probability. Independent normal priors (mean 0, standard
deviation `PRIOR_SD`) keep the strengths finite where a candidate wins always. The posterior is log-concave.
Newton's method finds its mode, and Laplace's approximation its spread: the inverse of the curvature there.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, fsum, log, sqrt
from operator import mul
from statistics import fmean

from judgestream.core.matrices import Matrix, cholesky, solve

PRIOR_SD = 2.0
"""Of each log-strength and of the tie parameter: 95 % of candidates within odds of 1 : 50 of the middle."""

TOLERANCE = 1e-11
"""Of the gradient at the mode."""

NEAR = 1e-4
"""Gradient below which every whole step is taken: it improves by less than the posterior is rounded."""

STEPS = 100
DRAWS = 2000
"""Draws from the posterior for P(best): its standard error is at most .011."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """Candidate `first` against candidate `second`: P(first better), P(equal), P(second better)."""

    first: int
    second: int
    win: float
    tie: float
    lose: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Strengths:
    """The posterior of the log-strengths, less their mean.

    means       at the mode, per candidate; they sum to 0
    covariance  of the strengths less their mean
    tie         the tie parameter
    """

    means: tuple[float, ...]
    covariance: tuple[tuple[float, ...], ...]
    tie: float

    def deviation(self, candidate: int) -> float:
        """The standard deviation of a candidate's strength."""
        return sqrt(max(0.0, self.covariance[candidate][candidate]))

    def p_best(self, draws: int = DRAWS) -> tuple[float, ...]:
        """P(candidate is the strongest), from seeded draws.

        Candidates are drawn in the order of their strengths and equal ones share alike, so that a permuted
        request has permuted probabilities.
        """
        places = [
            (round(mean, 9), round(self.deviation(k), 9)) for k, mean in enumerate(self.means)
        ]
        order = sorted(range(len(places)), key=places.__getitem__)
        root = cholesky([[self.covariance[a][b] for b in order] for a in order])
        rows = [row[: k + 1] for k, row in enumerate(root)]
        means = [self.means[k] for k in order]
        generator = random.Random(0)  # noqa: S311 - a fixed sample
        wins = [0] * len(order)
        for _ in range(draws // 2):
            noise = [generator.gauss(0.0, 1.0) for _ in order]
            moved = [sum(map(mul, row, noise)) for row in rows]
            for sign in (1.0, -1.0):  # antithetic: the sample is symmetric about the mode
                drawn = [mean + sign * move for mean, move in zip(means, moved, strict=True)]
                wins[drawn.index(max(drawn))] += 1
        groups: dict[tuple[float, float], list[int]] = {}
        for k, won in zip(order, wins, strict=True):
            groups.setdefault(places[k], []).append(won)
        return tuple(fmean(groups[place]) / (draws // 2 * 2) for place in places)


def fit(count: int, comparisons: Sequence[Comparison]) -> Strengths:
    """The posterior of `count` candidates' strengths."""
    point = _mode(count, comparisons)
    _, curvature = _derivatives(point, comparisons)
    root = cholesky(curvature)
    columns = [solve(root, [float(k == row) for row in range(count + 1)]) for k in range(count)]
    middle = fsum(point[:count]) / count
    return Strengths(
        means=tuple(strength - middle for strength in point[:count]),
        covariance=_centred([column[:count] for column in columns]),
        tie=point[count],
    )


def _mode(count: int, comparisons: Sequence[Comparison]) -> list[float]:
    """The most probable strengths, and the tie parameter last."""
    point = [0.0] * (count + 1)
    value = _log_posterior(point, comparisons)
    for _ in range(STEPS):
        gradient, curvature = _derivatives(point, comparisons)
        slope = max(map(abs, gradient))
        if slope < TOLERANCE:
            break
        step, scale = solve(cholesky(curvature), gradient), 1.0
        moved, found = _moved(point, step, scale, comparisons)
        while found < value and slope > NEAR:
            scale /= 2
            moved, found = _moved(point, step, scale, comparisons)
        point, value = moved, found
    return point


def _moved(
    point: Sequence[float], step: Sequence[float], scale: float, comparisons: Sequence[Comparison]
) -> tuple[list[float], float]:
    moved = [a + scale * b for a, b in zip(point, step, strict=True)]
    return moved, _log_posterior(moved, comparisons)


def _log_posterior(point: Sequence[float], comparisons: Sequence[Comparison]) -> float:
    terms = [-(value**2) / (2 * PRIOR_SD**2) for value in point]
    for one in comparisons:
        half = (point[one.first] - point[one.second]) / 2
        weights = (half, point[-1], -half)
        top = max(weights)
        total = top + log(fsum(exp(weight - top) for weight in weights))
        observed = (one.win, one.tie, one.lose)
        terms += (p * (weight - total) for p, weight in zip(observed, weights, strict=True))
    return fsum(terms)


def _derivatives(
    point: Sequence[float], comparisons: Sequence[Comparison]
) -> tuple[list[float], Matrix]:
    """The gradient of the log posterior, and the negative of its matrix of second derivatives."""
    size, precision = len(point), 1 / PRIOR_SD**2
    parts: list[list[float]] = [[-value * precision] for value in point]
    curvature = [[precision * (a == b) for b in range(size)] for a in range(size)]
    last = size - 1
    for one in comparisons:
        a, b = one.first, one.second
        win, tie, lose = _outcomes(point[a] - point[b], point[last])
        weight = one.win + one.tie + one.lose
        lean = (win - lose) / 2
        slope = (one.win - one.lose) / 2 - weight * lean
        parts[a].append(slope)
        parts[b].append(-slope)
        parts[last].append(one.tie - weight * tie)
        spread = weight * ((win + lose) / 4 - lean**2)
        mixed = -weight * lean * tie
        for row, column, value in (
            *((a, a, spread), (b, b, spread), (a, b, -spread), (b, a, -spread)),
            *((a, last, mixed), (last, a, mixed), (b, last, -mixed), (last, b, -mixed)),
            (last, last, weight * tie * (1 - tie)),
        ):
            curvature[row][column] += value
    return list(map(fsum, parts)), curvature


def _outcomes(difference: float, tie: float) -> tuple[float, float, float]:
    weights = (difference / 2, tie, -difference / 2)
    top = max(weights)
    shares = [exp(weight - top) for weight in weights]
    total = fsum(shares)
    return shares[0] / total, shares[1] / total, shares[2] / total


def _centred(covariance: Matrix) -> tuple[tuple[float, ...], ...]:
    """The covariance of the same variables less their mean."""
    count = len(covariance)
    rows = [fsum(row) / count for row in covariance]
    whole = fsum(rows) / count
    return tuple(
        tuple(value - rows[a] - rows[b] + whole for b, value in enumerate(row))
        for a, row in enumerate(covariance)
    )
