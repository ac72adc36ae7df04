"""Two runs of one suite: the difference of their headline values, item by item."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from judgestream.evaluation.bootstrap import percentile_bootstrap
from judgestream.evaluation.intervals import Interval

RESAMPLES = 2000
FEW = 50
"""Below this number of prompts the bootstrap's intervals are too narrow: see docs/design/statistics.md."""

Values = Mapping[str, tuple[str, float]]
"""Item -> its prompt and its value."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """The first run minus the second, on the `n` items that have a value in both.

    first, second   means of the values on these items
    only_first, only_second   items with a value in one run only: in no figure
    better, worse   items whose value is higher, or lower, in the first run
    interval        of the difference, by a bootstrap of prompts; None without any item
    """

    n: int
    prompts: int
    first: float
    second: float
    difference: float
    interval: Interval | None
    better: int
    worse: int
    only_first: int
    only_second: int

    @property
    def few(self) -> bool:
        return self.prompts < FEW

    @property
    def clear(self) -> bool:
        """Whether the interval is on one side of 0."""
        return self.interval is not None and not self.interval.low <= 0.0 <= self.interval.high


def compare(
    first: Values, second: Values, *, seed: int, resamples: int = RESAMPLES
) -> Comparison | None:
    """None without a common item.

    The paired bootstrap draws prompts, with all of their items in both runs: what is hard for both cancels.
    """
    common = [key for key in first if key in second]
    if not common:
        return None
    rows = [(first[key][1], second[key][1]) for key in common]
    prompts = [first[key][0] for key in common]
    means = fmean(a for a, _ in rows), fmean(b for _, b in rows)
    return Comparison(
        n=len(rows),
        prompts=len(set(prompts)),
        first=means[0],
        second=means[1],
        difference=means[0] - means[1],
        interval=percentile_bootstrap(
            _mean_difference,
            [a - b for a, b in rows],
            seed=seed,
            resamples=resamples,
            clusters=prompts,
        ),
        better=sum(a > b for a, b in rows),
        worse=sum(a < b for a, b in rows),
        only_first=len(first) - len(common),
        only_second=len(second) - len(common),
    )


def _mean_difference(rows: Sequence[float]) -> float:
    return fmean(rows)
