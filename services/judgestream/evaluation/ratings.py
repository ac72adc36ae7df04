"""Ratings of models that met in pairs, as Chatbot Arena computes them: Elo, and Bradley-Terry with an anchor.

Source: FastChat `serve/monitor/elo_analysis.py` and `rating_systems.py` (arXiv 2403.04132). Both are on Elo's
scale: 400 points are odds of ten to one.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp, log

from judgestream.core.preference import Preference

SCALE, START, STEP = 400.0, 1000.0, 4.0
ANCHOR, ANCHORED = "mixtral-8x7b-instruct-v0.1", 1114.0
"""Where this model takes part, all Bradley-Terry ratings are shifted so that it has this one."""
PENALTY = 1e-4
"""Of the squared log-strengths. It keeps the strengths finite where a model always wins, and moves the others
by less than a point."""
ROUNDS = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class Battle:
    """`outcome` is FIRST where the first model is better."""

    first: str
    second: str
    outcome: Preference


def elo(battles: Sequence[Battle], *, step: float = STEP) -> dict[str, float]:
    """Ratings after one pass over the battles in their order; a tie is half a win.

    P(first wins) = 1 / (1 + 10 ** ((R_second - R_first) / 400)), and the ratings move by `step` times the
    difference of outcome and expectation. They depend on the order of the battles.
    """
    ratings: defaultdict[str, float] = defaultdict(lambda: START)
    for one in battles:
        gap = (ratings[one.second] - ratings[one.first]) / SCALE
        moved = step * ((one.outcome + 1) / 2 - 1 / (1 + 10**gap))
        ratings[one.first] += moved
        ratings[one.second] -= moved
    return dict(ratings)


def bradley_terry(battles: Sequence[Battle]) -> dict[str, float]:
    """Ratings of greatest likelihood; ties count half for either side. They do not depend on the order.

    logit P(first wins) = ln 10 / 400 * (R_first - R_second). Newton's method on the log-likelihood with the
    L2 penalty `PENALTY`. The mean rating is 1000, or the anchor has its own.
    """
    names = sorted({name for one in battles for name in (one.first, one.second)})
    place = {name: k for k, name in enumerate(names)}
    wins: Counter[tuple[int, int]] = Counter()  # halves, so that ties stay whole numbers
    for one in battles:
        a, b = place[one.first], place[one.second]
        wins[a, b] += 1 + int(one.outcome)
        wins[b, a] += 1 - int(one.outcome)
    strengths = _fitted(len(names), {pair: count / 2 for pair, count in wins.items() if count})
    ratings = [strength * SCALE / log(10) for strength in strengths]
    shift = START - sum(ratings) / max(1, len(ratings))
    if ANCHOR in place:
        shift = ANCHORED - ratings[place[ANCHOR]]
    return {name: ratings[k] + shift for name, k in place.items()}


def _fitted(count: int, wins: Mapping[tuple[int, int], float]) -> list[float]:
    """Log-strengths, by damped Newton steps: each raises the penalised likelihood."""
    point = [0.0] * count
    value = _likelihood(point, wins)
    for _ in range(ROUNDS):
        slope = [-PENALTY * strength for strength in point]
        curve = [[PENALTY * (a == b) for b in range(count)] for a in range(count)]
        for (a, b), won in wins.items():
            lost_share = 1 / (1 + exp(point[a] - point[b]))
            weight = won * lost_share * (1 - lost_share)
            slope[a] += won * lost_share
            slope[b] -= won * lost_share
            for row, column, sign in ((a, a, 1), (b, b, 1), (a, b, -1), (b, a, -1)):
                curve[row][column] += sign * weight
        if max(map(abs, slope), default=0.0) < 1e-10:
            break
        step, scale = solved(curve, slope), 1.0
        while scale > 1e-6:
            moved = [s + scale * d for s, d in zip(point, step, strict=True)]
            found = _likelihood(moved, wins)
            if found >= value:
                break
            scale /= 2
        else:
            break
        if found == value and scale < 1.0:
            break
        point, value = moved, found
    return point


def _likelihood(point: Sequence[float], wins: Mapping[tuple[int, int], float]) -> float:
    total = -PENALTY / 2 * sum(strength**2 for strength in point)
    for (a, b), won in wins.items():
        gap = point[b] - point[a]
        total -= won * (gap + log(1 + exp(-gap)) if gap > 0 else log(1 + exp(gap)))
    return total


def solved(matrix: Sequence[Sequence[float]], right: Sequence[float]) -> list[float]:
    """x of matrix x = right, by elimination with the largest pivot.

    Raises:
        ValueError: the matrix is singular.
    """
    rows = [[*row, value] for row, value in zip(matrix, right, strict=True)]
    size = len(rows)
    for k in range(size):
        best = max(range(k, size), key=lambda row: abs(rows[row][k]))
        rows[k], rows[best] = rows[best], rows[k]
        if rows[k][k] == 0.0:
            raise ValueError("the equations have no single solution")
        for row in range(k + 1, size):
            share = rows[row][k] / rows[k][k]
            if share:
                rows[row] = [a - share * b for a, b in zip(rows[row], rows[k], strict=True)]
    found = [0.0] * size
    for k in reversed(range(size)):
        known = sum(rows[k][c] * found[c] for c in range(k + 1, size))
        found[k] = (rows[k][size] - known) / rows[k][k]
    return found
