"""Rankings: ranks with ties from scores, and the probability that a candidate is the best."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import fsum

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
    parts: list[list[float]] = [[] for _ in rows]
    for index, value in enumerate(values):
        below = [fsum(p for p, v in zip(row, values, strict=True) if v < value) for row in shares]
        here = [row[index] for row in shares]
        for k, part in enumerate(parts):
            if here[k]:
                others = [(below[j], here[j]) for j in range(len(rows)) if j != k]
                part.append(here[k] * _shared_with(others))
    return tuple(map(fsum, parts))


def _shared_with(others: Sequence[tuple[float, float]]) -> float:
    """The expected share of the top place, 1 / (1 + number of others at the value), if no other is above.

    others   of each: P(below the value), P(at the value)
    """
    at = [1.0]  # at[m]: P(m of the others so far are at the value, the rest below)
    for below, here in others:
        at = [
            (at[m] * below if m < len(at) else 0.0) + (at[m - 1] * here if m else 0.0)
            for m in range(len(at) + 1)
        ]
    return fsum(p / (1 + m) for m, p in enumerate(at))
