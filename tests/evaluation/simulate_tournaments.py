"""Simulated tournaments: candidates of known strengths, judged as Davidson's model says."""

from dataclasses import dataclass
from math import exp

import numpy as np
from numpy.typing import NDArray

from judgestream.core.bradley_terry import Comparison, Strengths, fit
from judgestream.core.modes.tournament import Pair, cycles
from judgestream.core.settling.tournament import SPREAD

TIE = -0.5
"""P(equal) of two equally strong candidates is .23."""


@dataclass(frozen=True, kw_only=True)
class Design:
    """Candidates, the number of judged pairs (0: all), and whether the judge's two orders always agree."""

    candidates: int
    pairs: int = 0
    orders_agree: bool = True

    @property
    def drawn(self) -> list[Pair]:
        every = cycles(range(self.candidates))
        return every[: self.pairs] if self.pairs else every

    def __str__(self) -> str:
        orders = "agree" if self.orders_agree else "independent"
        return f"{self.candidates} answers, {len(self.drawn)} pairs, orders {orders}"


@dataclass(frozen=True, kw_only=True)
class Outcomes:
    """Shares over all rounds: of strengths in their interval; of right winners, and what P(best) said."""

    covered: float
    right: float
    claimed: float


def simulated(design: Design, spread: float, rounds: int, draw: np.random.Generator) -> Outcomes:
    """Tournaments of candidates whose log-strengths are normal with this spread."""
    covered, right, claimed = [], [], []
    for _ in range(rounds):
        strengths = draw.normal(0.0, spread, design.candidates)
        found = fit(design.candidates, judged(design, strengths, draw))
        truth = strengths - strengths.mean()
        covered += [_holds(found, k, truth[k]) for k in range(design.candidates)]
        p_best = found.p_best(500)
        favourite = int(np.argmax(p_best))
        right.append(favourite == int(truth.argmax()))
        claimed.append(p_best[favourite])
    return Outcomes(
        covered=float(np.mean(covered)),
        right=float(np.mean(right)),
        claimed=float(np.mean(claimed)),
    )


def judged(
    design: Design, strengths: NDArray[np.float64], draw: np.random.Generator
) -> list[Comparison]:
    """The pairs' comparisons: the mean of two orders, whose outcomes are drawn once or twice."""
    comparisons = []
    for first, second in design.drawn:
        half = (strengths[first] - strengths[second]) / 2
        weights = np.array([exp(half), exp(TIE), exp(-half)])
        outcomes = draw.multinomial(1, weights / weights.sum(), size=2)
        mean = outcomes[0] if design.orders_agree else outcomes.mean(axis=0)
        win, tie, lose = map(float, mean)
        comparisons.append(Comparison(first=first, second=second, win=win, tie=tie, lose=lose))
    return comparisons


def _holds(found: Strengths, candidate: int, truth: float) -> bool:
    return abs(found.means[candidate] - truth) <= SPREAD * found.deviation(candidate)
