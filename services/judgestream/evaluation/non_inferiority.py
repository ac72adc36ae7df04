"""Non-inferiority of one judge to another within a margin, on the same items."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from math import ceil, log
from statistics import NormalDist

from judgestream.evaluation.paired import compare

CONFIDENCE = 0.95
POWER = 0.8


@dataclass(frozen=True, kw_only=True, slots=True)
class NonInferiority:
    """A paired comparison of a new judge with an old one; shares are of `n`, -1 to 1.

    gained, lost    items that only the new judge, or only the old judge, has right
    clusters        prompts: items of one prompt are not independent
    design_effect   by how much clusters inflate the variance of the difference, at least 1
    difference      (gained - lost) / n
    lower           the difference is above this with `confidence`, one-sided
    margin          the loss that is accepted, 0 to 1
    least           fewest prompts that can show a loss within the margin, see `least_clusters`
    needed          items at which an equally good judge passes with 80 % power, at this discordance and
                    design effect
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
        """Better, with the same confidence."""
        return self.lower > 0.0


def non_inferiority(
    new: Sequence[bool],
    old: Sequence[bool],
    *,
    margin: float,
    clusters: Sequence[Hashable] | None = None,
    confidence: float = CONFIDENCE,
) -> NonInferiority:
    """Compare two judges item by item: whether each was right (or consistent over both orders, ...).

    The bound is the lower end of `paired.compare`'s interval at twice the one-sided error: Bonett and
    Price's, which has width without any discordant item, and counts prompts where several items share one.

    Args:
        margin: the loss that is accepted, above 0 and below 1.
        clusters: the prompt of every item; None if items are independent.

    Raises:
        ValueError: the lists differ in length, no items, or a margin outside 0 to 1.
    """
    if not new or not 0.0 < margin < 1.0:
        raise ValueError(f"{len(new)} items and a margin of {margin} cannot be compared")
    found = compare(new, old, clusters, level=2.0 * confidence - 1.0)
    if found is None:
        raise ValueError("no items to compare")
    discordant = (found.only_first + found.only_second) / found.n
    smoothed = discordant + 2.0 * found.design_effect / found.n
    return NonInferiority(
        n=found.n,
        clusters=found.clusters,
        gained=found.only_first,
        lost=found.only_second,
        design_effect=found.design_effect,
        difference=found.difference,
        lower=-1.0 if found.interval is None else found.interval.low,
        margin=margin,
        confidence=confidence,
        least=least_clusters(margin, confidence=confidence),
        needed=ceil(found.design_effect * items_needed(smoothed, margin, confidence=confidence)),
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
