"""Whether one judge is no worse than another by more than a margin, on the same items."""

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from math import ceil, inf, log, sqrt
from statistics import NormalDist

from judgestream.core.stats.quantiles import student_t

CONFIDENCE = 0.95
POWER = 0.8


@dataclass(frozen=True, kw_only=True, slots=True)
class NonInferiority:
    """A paired comparison of a new judge with an old one; shares are of `n`, -1 to 1.

    gained, lost    items that only the new judge, or only the old one, has right
    clusters        prompts: items of one prompt are not independent
    design_effect   by how much clusters inflate the variance of the difference, at least 1
    difference      (gained - lost) / n
    lower           the difference is above this with `confidence`, one-sided
    margin          the loss that is accepted, 0 to 1
    least           prompts below which nothing can show that a loss stays within the margin: `least_clusters`
    needed          items at which a judge that is exactly as good passes in four of five tries, at the
                    discordance and design effect seen here
    """

    n: int
    clusters: int
    gained: int
    lost: int
    design_effect: float
    difference: float
    lower: float
    margin: float
    confidence: float
    least: int
    needed: int

    @property
    def holds(self) -> bool:
        """Not worse by more than the margin."""
        return self.clusters >= self.least and self.lower > -self.margin

    @property
    def better(self) -> bool:
        """Better, by more than chance explains."""
        return self.lower > 0.0


def non_inferiority(
    new: Sequence[bool],
    old: Sequence[bool],
    *,
    margin: float,
    clusters: Sequence[Hashable] | None = None,
    confidence: float = CONFIDENCE,
) -> NonInferiority:
    """Compare two judges item by item: whether each had it right (or answered both orders alike, ...).

    The bound is Bonett and Price's (2012, J. Educ. Behav. Stat. 37:479): one is added to both counts of
    discordant items and two to n, so that it has width without any discordant item. Items of one prompt
    count as `n / design_effect` independent ones (Kish 1965), and the normal quantile becomes Student's t
    of (clusters - 1) degrees of freedom.

    Args:
        margin: the loss that is accepted, above 0 and below 1.
        clusters: the prompt of every item; None when every item stands alone.

    Raises:
        ValueError: lists of other lengths, no items, or a margin outside 0 to 1.
    """
    if not new or not 0.0 < margin < 1.0:
        raise ValueError(f"{len(new)} items and a margin of {margin} cannot be compared")
    moves = [int(a) - int(b) for a, b in zip(new, old, strict=True)]
    groups = range(len(moves)) if clusters is None else clusters
    n, gained, lost = len(moves), moves.count(1), moves.count(-1)
    effect, count = _design_effect(moves, groups)
    quantile = NormalDist().inv_cdf(confidence)
    if count < n:
        quantile = student_t(2.0 * confidence - 1.0, count - 1.0) if count > 1 else inf
    size = n / effect
    p, q = (gained / effect + 1.0) / (size + 2.0), (lost / effect + 1.0) / (size + 2.0)
    error = sqrt((p + q - (p - q) ** 2) / (size + 2.0))
    return NonInferiority(
        n=n,
        clusters=count,
        gained=gained,
        lost=lost,
        design_effect=effect,
        difference=(gained - lost) / n,
        lower=max(-1.0, p - q - quantile * error),
        margin=margin,
        confidence=confidence,
        least=least_clusters(margin, confidence=confidence),
        needed=ceil(effect * items_needed(p + q, margin, confidence=confidence)),
    )


def least_clusters(margin: float, *, confidence: float = CONFIDENCE) -> int:
    """The fewest independent items on which losing none shows that less than `margin` is lost.

    Of a judge that loses a share `margin` of all items, (1 - margin)^n of the samples show no loss: at most
    1 - confidence of them from here on. The rule of three: about 3 / margin.
    """
    return ceil(log(1.0 - confidence) / log(1.0 - margin))


def items_needed(
    discordant: float, margin: float, *, confidence: float = CONFIDENCE, power: float = POWER
) -> float:
    """Independent items at which an equally good judge passes with probability `power`.

    Args:
        discordant: the share of the items that only one of the two judges has right.
    """
    normal = NormalDist()
    reach = normal.inv_cdf(confidence) + normal.inv_cdf(power)
    return discordant * (reach / margin) ** 2


def _design_effect(moves: Sequence[int], groups: Sequence[Hashable]) -> tuple[float, int]:
    """How much larger the variance between prompts makes that of the mean, and the number of prompts.

    Without any discordant item nothing shows it, and a prompt counts as one item.
    """
    n = len(moves)
    mean = sum(moves) / n
    totals: Counter[Hashable] = Counter()
    sizes: Counter[Hashable] = Counter()
    for move, group in zip(moves, groups, strict=True):
        totals[group] += move
        sizes[group] += 1
    count = len(sizes)
    simple = sum((move - mean) ** 2 for move in moves)
    if count == n:
        return 1.0, count
    if simple == 0.0 or count == 1:
        return n / count, count
    between = sum((totals[group] - mean * size) ** 2 for group, size in sizes.items())
    return max(1.0, count / (count - 1) * between / simple), count
