"""Rankings: ranks with ties from scores, and the probability that a candidate is the best."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import accumulate
from math import cos, fsum, pi
from operator import mul

from judgestream.core.types import CandidateScore

SAME = 1e-9
"""Scores that differ by no more are equal: means of the same numbers in another order differ by rounding."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ranking:
    """The places of candidates, in the request's order.

    ranks    1 is the best. Equal candidates share a rank, and the next rank skips: 1, 1, 3. 0: no rank
    p_best   P(candidate is the best), ties shared equally, so they sum to 1; empty where nothing states it
    """

    ranks: tuple[int, ...]
    p_best: tuple[float, ...] = ()

    @classmethod
    def of_scores(cls, scores: Sequence[float | None], p_best: Sequence[float] = ()) -> "Ranking":
        """By descending score. A candidate without a score has no rank."""
        known = sorted((score for score in scores if score is not None), reverse=True)
        heads: list[
            tuple[float, int]
        ] = []  # the highest score of each group of equals, and its rank
        for place, score in enumerate(known, start=1):
            if not heads or heads[-1][0] - score > SAME:
                heads.append((score, place))
        return cls(
            ranks=tuple(
                0
                if score is None
                else next(rank for head, rank in reversed(heads) if head >= score)
                for score in scores
            ),
            p_best=tuple(p_best),
        )

    @property
    def best(self) -> tuple[int, ...]:
        """The indices of the candidates of rank 1."""
        return tuple(k for k, rank in enumerate(self.ranks) if rank == 1)

    @property
    def tie(self) -> bool:
        """Whether two or more candidates share rank 1."""
        return len(self.best) > 1

    def winner(self, ids: Sequence[str]) -> str:
        """The id of the only candidate of rank 1; "" on a tie, and where nobody has a rank."""
        return ids[self.best[0]] if len(self.best) == 1 else ""

    @property
    def confidence(self) -> float | None:
        """P(best) of the candidates of rank 1 together; None where nothing states it."""
        return fsum(self.p_best[k] for k in self.best) if self.p_best and self.best else None

    def on(self, scores: Sequence[CandidateScore]) -> tuple[CandidateScore, ...]:
        """The scores with their ranks, and with P(best) where it is known."""
        return tuple(
            replace(score, rank=rank, p_best=self.p_best[k] if self.p_best else None)
            for k, (score, rank) in enumerate(zip(scores, self.ranks, strict=True))
        )


def p_best_of_scores(scores: Sequence[float]) -> tuple[float, ...]:
    """1 shared by the highest scores, 0 for the others."""
    best = max(scores)
    share = 1 / sum(score == best for score in scores)
    return tuple(share if score == best else 0.0 for score in scores)


def p_best_of_distributions(
    rows: Sequence[Sequence[float]], values: Sequence[float]
) -> tuple[float, ...]:
    """P(candidate has the highest score), for independent scores. A tie at the top is shared equally.

    Args:
        rows: per candidate, the probability of each value, not necessarily summing to 1.
        values: distinct scores.
    """
    shares = [[p / fsum(row) for p in row] for row in rows]
    nodes = _gauss_legendre((len(rows) + 1) // 2)
    parts: list[list[float]] = [[] for _ in rows]
    for index, value in enumerate(values):
        below = [fsum(p for p, v in zip(row, values, strict=True) if v < value) for row in shares]
        here = [row[index] for row in shares]
        # The share of the top place is 1 / (1 + m) with m others at the value, and its expectation over the
        # others is the integral from 0 to 1 of their generating polynomial.
        for x, weight in nodes:
            others = _products_without_one([b + h * x for b, h in zip(below, here, strict=True)])
            for k, part in enumerate(parts):
                part.append(weight * here[k] * others[k])
    return tuple(map(fsum, parts))


def _products_without_one(factors: Sequence[float]) -> list[float]:
    """For each factor the product of all others."""
    before = list(accumulate(factors[:-1], mul, initial=1.0))
    after = list(accumulate(reversed(factors[1:]), mul, initial=1.0))[::-1]
    return list(map(mul, before, after))


@cache
def _gauss_legendre(count: int) -> tuple[tuple[float, float], ...]:
    """Nodes and weights from 0 to 1 that integrate polynomials of degree 2 count - 1 exactly.

    The nodes are the roots of Legendre's polynomial, by Newton's method (Press et al., "Numerical Recipes").
    """
    found = []
    for k in range(count):
        root, slope = cos(pi * (k + 0.75) / (count + 0.5)), 1.0
        for _ in range(100):
            value, last = root, 1.0
            for n in range(2, count + 1):
                value, last = ((2 * n - 1) * root * value - (n - 1) * last) / n, value
            slope = count * (root * value - last) / (root * root - 1)
            step = value / slope
            root -= step
            if abs(step) < 1e-15:
                break
        found.append(((root + 1) / 2, 1 / ((1 - root * root) * slope * slope)))
    return tuple(found)
