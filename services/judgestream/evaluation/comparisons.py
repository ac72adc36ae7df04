"""Strengths of systems from comparisons of two, with ties and covariates, and intervals by prompt.

Davidson's model (see `core.bradley_terry`) with covariates x of a comparison, such as differences of style:

    first better : equal : second better  =  exp(h) : exp(t) : exp(-h)     h = (s_first - s_second + x b) / 2

The strengths s, the tie parameter t and the coefficients b are the mode of the posterior under independent
normal priors of standard deviation `PRIOR_SD`, which keep a system finite that wins always.
"""

import random
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import exp, sqrt

from judgestream.core.bradley_terry import PRIOR_SD
from judgestream.core.matrices import Matrix, cholesky, solve
from judgestream.core.preference import Preference
from judgestream.evaluation.clusters import freedom_of
from judgestream.evaluation.intervals import LEVEL, Interval, tail_of
from judgestream.evaluation.quantiles import student_t

STEPS = 60
FARTHEST = 3.0
"""Of one step in any parameter, in log-odds."""
TOLERANCE = 1e-9
"""Of the gradient at the mode, relative to the number of comparisons."""

_SLOT = {Preference.FIRST: 0, Preference.TIE: 1, Preference.SECOND: 2}
Key = tuple[int, int, tuple[float, ...]]
Rows = dict[Key, list[float]]
"""Weights of first better, equal, second better, by the two systems and the covariates."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """One comparison of system `first` with system `second`, by their numbers.

    covariates  differences between the two sides: exchanging the sides changes their signs
    """

    first: int
    second: int
    outcome: Preference
    cluster: Hashable
    covariates: tuple[float, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Parameter:
    """A strength less the mean strength, or a coefficient: in natural log-odds, with its interval.

    interval   None with a single cluster of several comparisons
    """

    value: float
    interval: Interval | None

    def scaled(self, factor: float, shift: float) -> "Parameter":
        """The same on another scale: times a positive factor, then shifted."""
        ends = self.interval
        return Parameter(
            value=self.value * factor + shift,
            interval=None
            if ends is None
            else replace(ends, low=ends.low * factor + shift, high=ends.high * factor + shift),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Strengths:
    """The fit of `n` comparisons in `clusters` clusters.

    groups   of systems that comparisons connect; with more than one, strengths of different groups do not
             compare: the prior alone relates them
    """

    systems: tuple[Parameter, ...]
    coefficients: tuple[Parameter, ...]
    tie: float
    n: int
    clusters: int
    groups: int


def strengths(
    systems: int,
    comparisons: Sequence[Comparison],
    *,
    covariates: int = 0,
    resamples: int = 0,
    seed: int = 0,
    level: float = LEVEL,
) -> Strengths | None:
    """The strengths of `systems` systems and the coefficients of `covariates` covariates.

    The closed-form interval takes the larger of the posterior's and the clusters' variance (Huber's sandwich
    with Binder's clusters, G / (G - 1)), and Student's t of the degrees of freedom that the clusters carry.
    None without comparisons.

    Args:
        resamples: of a bootstrap by cluster that fits every resample, in place of the closed form; 0: none.

    Raises:
        ValueError: a comparison has another number of covariates, or of an unknown system.
    """
    for one in comparisons:
        if (
            len(one.covariates) != covariates
            or not 0 <= min(one.first, one.second) <= max(one.first, one.second) < systems
        ):
            raise ValueError(f"{one} does not fit {systems} systems and {covariates} covariates")
    if not comparisons:
        return None
    by_cluster: defaultdict[Hashable, list[Comparison]] = defaultdict(list)
    for one in comparisons:
        by_cluster[one.cluster].append(one)
    size = systems + 1 + covariates
    mode, curvature = _mode(_rows(comparisons), systems, [0.0] * size)
    shown = [*range(systems), *range(systems + 1, size)]
    if resamples:
        ends = _bootstrap(list(by_cluster.values()), systems, mode, resamples, seed, level)
    else:
        ends = _closed_form(
            list(by_cluster.values()), systems, mode, curvature, len(comparisons), level
        )
    values = _centred(mode, systems)
    parameters = [
        Parameter(value=values[k], interval=None if ends is None else ends[k]) for k in shown
    ]
    return Strengths(
        systems=tuple(parameters[:systems]),
        coefficients=tuple(parameters[systems:]),
        tie=mode[systems],
        n=len(comparisons),
        clusters=len(by_cluster),
        groups=_groups(systems, comparisons),
    )


def _rows(comparisons: Iterable[Comparison], weight: float = 1.0) -> Rows:
    rows: Rows = {}
    for one in comparisons:
        key = (one.first, one.second, one.covariates)
        rows.setdefault(key, [0.0, 0.0, 0.0])[_SLOT[one.outcome]] += weight
    return rows


def _mode(rows: Rows, systems: int, start: Sequence[float]) -> tuple[list[float], Matrix]:
    """The mode by Newton's method, and the curvature there. The log posterior is concave."""
    point = list(start)
    gradient, curvature = _derivatives(rows, systems, point)
    bound = TOLERANCE * (1.0 + sum(map(sum, rows.values())))
    for _ in range(STEPS):
        if max(map(abs, gradient)) < bound:
            break
        step = solve(cholesky(curvature), gradient)
        # far steps overshoot where outcomes saturate
        scale = min(1.0, FARTHEST / max(map(abs, step)))
        point = [a + scale * b for a, b in zip(point, step, strict=True)]
        gradient, curvature = _derivatives(rows, systems, point)
    return point, curvature


def _derivatives(rows: Rows, systems: int, point: Sequence[float]) -> tuple[list[float], Matrix]:
    """The gradient of the log posterior, and the negative of its matrix of second derivatives."""
    size = len(point)
    precision = 1.0 / PRIOR_SD**2
    gradient = [-value * precision for value in point]
    curvature = [[precision * (a == b) for b in range(size)] for a in range(size)]
    ties, extra = point[systems], range(systems + 1, size)
    for (a, b, x), (win, tie, lose) in rows.items():
        w, e, r = _outcomes(point[a] - point[b] + _dot(x, point, systems), ties)
        total = win + tie + lose
        lean = (w - r) / 2.0
        slope = (win - lose) / 2.0 - total * lean
        spread = total * ((w + r) / 4.0 - lean * lean)
        mixed = -total * lean * e
        gradient[a] += slope
        gradient[b] -= slope
        gradient[systems] += tie - total * e
        row, other, last = curvature[a], curvature[b], curvature[systems]
        row[a] += spread
        other[b] += spread
        row[b] -= spread
        other[a] -= spread
        row[systems] += mixed
        other[systems] -= mixed
        last[a] += mixed
        last[b] -= mixed
        last[systems] += total * e * (1.0 - e)
        for k, value in zip(extra, x, strict=True):
            if value:
                gradient[k] += slope * value
                along = curvature[k]
                part = spread * value
                along[a] += part
                along[b] -= part
                row[k] += part
                other[k] -= part
                along[systems] += mixed * value
                last[k] += mixed * value
                for j, more in zip(extra, x, strict=True):
                    along[j] += part * more
    return gradient, curvature


def _outcomes(difference: float, ties: float) -> tuple[float, float, float]:
    half = difference / 2.0
    top = max(half, -half, ties)
    win, tie, lose = exp(half - top), exp(ties - top), exp(-half - top)
    total = win + tie + lose
    return win / total, tie / total, lose / total


def _dot(x: Sequence[float], point: Sequence[float], systems: int) -> float:
    return sum(value * point[systems + 1 + k] for k, value in enumerate(x)) if x else 0.0


def _centred(values: Sequence[float], systems: int) -> list[float]:
    """The strengths less their mean; what follows them stays."""
    middle = sum(values[:systems]) / systems
    return [value - middle if k < systems else value for k, value in enumerate(values)]


def _closed_form(
    clusters: Sequence[Sequence[Comparison]],
    systems: int,
    mode: Sequence[float],
    curvature: Matrix,
    n: int,
    level: float,
) -> list[Interval] | None:
    count, size = len(clusters), len(mode)
    if count == 1 and n > 1:
        return None
    root = cholesky(curvature)
    # rows: each centred parameter as a combination of the gradient
    inverse = [solve(root, [float(k == row) for row in range(size)]) for k in range(size)]
    middle = [sum(inverse[k][j] for k in range(systems)) / systems for j in range(size)]
    maps = [
        [value - mean for value, mean in zip(row, middle, strict=True)] if k < systems else row
        for k, row in enumerate(inverse)
    ]
    own = [_posterior_variance(maps, k, systems) for k in range(size)]
    squares: list[list[float]] = [[] for _ in range(size)]
    scores = [_score(one, systems, mode) for one in clusters]
    for score in scores:
        parts = list(score.items())
        for k, row in enumerate(maps):
            squares[k].append(sum(row[j] * value for j, value in parts) ** 2)
    centre = _centred(mode, systems)
    ends = []
    for k in range(size):
        variance = sum(squares[k]) * count / max(1, count - 1)
        freedom = max(1.0, freedom_of(squares[k])) if count > 1 else 1.0
        half = student_t(level, freedom) * sqrt(max(variance, own[k], 0.0))
        ends.append(
            Interval(
                low=centre[k] - half,
                high=centre[k] + half,
                level=level,
                method="sandwich, clustered",
            )
        )
    return ends


def _posterior_variance(maps: Matrix, k: int, systems: int) -> float:
    """Of a centred parameter: from its row of the inverse, less the mean strength's part of a strength."""
    if k >= systems:
        return maps[k][k]
    return maps[k][k] - sum(maps[k][:systems]) / systems


def _score(
    comparisons: Sequence[Comparison], systems: int, point: Sequence[float]
) -> Mapping[int, float]:
    """The gradient of the log likelihood of one cluster, without zeros."""
    score: defaultdict[int, float] = defaultdict(float)
    for one in comparisons:
        x = one.covariates
        difference = point[one.first] - point[one.second] + _dot(x, point, systems)
        win, tie, lose = _outcomes(difference, point[systems])
        slope = int(one.outcome) / 2.0 - (win - lose) / 2.0
        score[one.first] += slope
        score[one.second] -= slope
        score[systems] += (one.outcome is Preference.TIE) - tie
        for k, value in enumerate(x, start=systems + 1):
            score[k] += slope * value
    return score


def _bootstrap(
    clusters: Sequence[Sequence[Comparison]],
    systems: int,
    mode: Sequence[float],
    resamples: int,
    seed: int,
    level: float,
) -> list[Interval] | None:
    """Percentile intervals of the refitted parameters; None with a single cluster."""
    if len(clusters) < 2:
        return None
    draw = random.Random(seed)  # noqa: S311 - seeded resampling, not a secret
    own = [_rows(one) for one in clusters]
    found: list[list[float]] = []
    for _ in range(resamples):
        drawn = Counter(draw.choices(range(len(own)), k=len(own)))
        rows: Rows = {}
        for number, times in drawn.items():
            for key, weights in own[number].items():
                kept = rows.setdefault(key, [0.0, 0.0, 0.0])
                for k, weight in enumerate(weights):
                    kept[k] += times * weight
        found.append(_centred(_mode(rows, systems, mode)[0], systems))
    tail = round(resamples * tail_of(level))
    centre = _centred(mode, systems)
    ends = []
    for k, column in enumerate(zip(*found, strict=True)):
        values = sorted(column)
        ends.append(
            Interval(
                low=min(values[tail], centre[k]),
                high=max(values[-1 - tail], centre[k]),
                level=level,
                method="percentile bootstrap of clusters",
            )
        )
    return ends


def _groups(systems: int, comparisons: Iterable[Comparison]) -> int:
    """The number of groups of systems that comparisons connect."""
    leader = list(range(systems))

    def of(system: int) -> int:
        while leader[system] != system:
            leader[system] = leader[leader[system]]
            system = leader[system]
        return system

    for one in comparisons:
        leader[of(one.first)] = of(one.second)
    return sum(of(system) == system for system in range(systems))
