"""Drift: whether a window's distribution differs from that of a reference window by more than chance.

The population stability index, sum over categories of (p - q) ln (p / q), of shares p now and q before. Rules
of thumb (.1 notable, .25 large) ignore the size of the windows: between two windows of 50 scores in five bins
it is .16 on average without any drift. So each index stands beside what chance gives.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log
from types import MappingProxyType

from judgestream.evaluation.probes.base import Counts
from judgestream.evaluation.probes.position import BY_LEAN
from judgestream.evaluation.probes.scores import BINS
from judgestream.evaluation.quantiles import chi_squared, chi_squared_tail

IMAGINED = 0.5
"""Observations added to every category of either window, so that an empty one does not make it infinite."""

DISTRIBUTIONS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "scores": BINS,
        "ties": ("tied", "untied"),
        "position": tuple(BY_LEAN.values()),
        "unscored": ("scored", "unscored"),
        "length": ("longer_won", "shorter_won"),
    }
)
"""Distribution -> its categories, which are stored counts of the probes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Drift:
    """One distribution in two windows.

    index       the population stability index; 0 for equal shares
    by_chance   its mean where nothing drifted, for these windows
    at_most     what it exceeds in 5 % of windows where nothing drifted
    p_value     probability of so large an index where nothing drifted
    n, before   observations in the window and in the reference
    """

    index: float
    by_chance: float
    at_most: float
    p_value: float
    n: int
    before: int

    @property
    def drifted(self) -> bool:
        """Whether the index is above what chance exceeds in 5 % of windows."""
        return self.index > self.at_most


def drift(
    now: Sequence[Counts], before: Sequence[Counts], categories: Sequence[str]
) -> Drift | None:
    """The drift of one distribution, from each prompt's counts in either window.

    Without drift the index is chi-squared with (categories - 1) degrees of freedom times (1 / n + 1 / m)
    times the design effect of the prompts (Rao and Scott's first-order correction, 1981, JASA 76:221).
    Categories that are empty in both windows are left out. None where fewer than two are left or a window is
    empty.
    """
    present = [
        name for name in categories if any(counts.get(name, 0) for counts in (*now, *before))
    ]
    sums = [
        [sum(counts.get(name, 0) for counts in part) for name in present] for part in (now, before)
    ]
    n, m = map(sum, sums)
    freedom = len(present) - 1
    if freedom < 1 or not n or not m:
        return None
    own, other = (
        [(count + IMAGINED) / (sum(one) + IMAGINED * len(one)) for count in one] for one in sums
    )
    index = sum((p - q) * log(p / q) for p, q in zip(own, other, strict=True))
    pooled = [(a + b) / (n + m) for a, b in zip(*sums, strict=True)]
    scale = sum(_effect(part, present, pooled) / size for part, size in ((now, n), (before, m)))
    return Drift(
        index=index,
        by_chance=freedom * scale,
        at_most=chi_squared(0.95, freedom) * scale,
        p_value=chi_squared_tail(index / scale, freedom),
        n=n,
        before=m,
    )


def drifts(now: Sequence[Counts], before: Sequence[Counts]) -> dict[str, Drift]:
    """The drift of every distribution that both windows have, from each prompt's counts."""
    own, other = ([_with_shorter(counts) for counts in part] for part in (now, before))
    found = {name: drift(own, other, categories) for name, categories in DISTRIBUTIONS.items()}
    return {name: one for name, one in found.items() if one is not None}


def _with_shorter(counts: Counts) -> Counts:
    shorter = counts.get("length_pairs", 0) - counts.get("longer_won", 0)
    return {**counts, "shorter_won": shorter}


def _effect(part: Sequence[Counts], names: Sequence[str], pooled: Sequence[float]) -> float:
    """The mean design effect of the categories' shares, at least 1: variance between prompts' totals over
    that of independent observations."""
    totals = [[counts.get(name, 0) for name in names] for counts in part]
    rows = [row for row in totals if any(row)]
    n = sum(map(sum, rows))
    count = len(rows)
    if count < 2:
        return float(max(1, n))
    if n == count:
        return 1.0
    shares = [sum(column) / n for column in zip(*rows, strict=True)]
    ratio = 0.0
    for k, share in enumerate(pooled):
        between = sum((row[k] - sum(row) * shares[k]) ** 2 for row in rows) * count / (count - 1)
        if share > 0.0:
            ratio += between / (n * share)
    return max(1.0, ratio / (len(names) - 1))
