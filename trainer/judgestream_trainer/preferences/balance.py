"""Length balance: pair weights under which the longer answer is not simply the better one.

A judge learns length first, because it is easy to see: among pairs of AlpacaEval with a clear preference the
longer answer is the better one in 77 %. Pairs whose longer answer is better get a weight below 1, the same
for all, so that length alone predicts a chosen share of the weighted preferences.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import exp

from judgestream_trainer.preferences.groups import Graded, Group


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """Two answers of a group by index. `target` is the probability that the first is better."""

    first: int
    second: int
    target: float
    weight: float


@dataclass(frozen=True, kw_only=True, slots=True)
class LengthBalance:
    """`longer` is the weight of a pair whose longer answer is better; other pairs weigh 1."""

    longer: float = 1.0

    def pairs(self, answers: Sequence[Graded]) -> Iterator[Pair]:
        """Every pair of the answers."""
        for first, second in combinations(range(len(answers)), 2):
            one, other = answers[first], answers[second]
            target = better(one, other)
            longer_wins = (target - 0.5) * (len(one.text) - len(other.text)) > 0
            weight = self.longer if longer_wins else 1.0
            yield Pair(first=first, second=second, target=target, weight=weight)


def better(one: Graded, other: Graded) -> float:
    """P(one is better than the other)."""
    return 1.0 / (1.0 + exp(min(other.grade - one.grade, 700.0)))


def balanced(groups: Iterable[Group], share: float) -> LengthBalance:
    """The balance under which the longer answer is better in `share` of the weighted preferences.

    A pair's preference counts by its strength, |target - 1/2|. Pairs of equal length do not count. Never
    above weight 1: groups that prefer shorter answers are left as they are.

    Args:
        share: in (0, 1]; 1 leaves everything unweighted.
    """
    longer, shorter = preference_by_length(groups)
    if not longer or share >= 1:
        return LengthBalance()
    return LengthBalance(longer=min(1.0, shorter / longer * share / (1 - share)))


def preference_by_length(groups: Iterable[Group]) -> tuple[float, float]:
    """The summed preference strength of pairs whose longer answer is better, and whose shorter one is."""
    longer = shorter = 0.0
    for group in groups:
        for one, other in combinations(group.answers, 2):
            strength = (better(one, other) - 0.5) * (len(one.text) - len(other.text))
            size = abs(better(one, other) - 0.5)
            if strength > 0:
                longer += size
            elif strength < 0:
                shorter += size
    return longer, shorter
