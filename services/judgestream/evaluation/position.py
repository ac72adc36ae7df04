"""Position bias: the same pairs, judged in both orders."""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from judgestream.core.passes import reversed_pairs
from judgestream.core.preference import Preference
from judgestream.core.reconcile import reading_preference
from judgestream.core.types import PassResult, Reading, Verdict
from judgestream.evaluation.clusters import Mean, clustered_share
from judgestream.evaluation.intervals import magnitude
from judgestream.evaluation.paired import signed_mean


@dataclass(frozen=True, kw_only=True, slots=True)
class Position:
    """Position bias of pairs judged in both orders. Counts add to `n`; rates are shares of `n`, 0 to 1,
    None without any.

    The definitions are JudgeLM's (arXiv 2310.17631, table of position metrics); the names of its
    evaluator's output are given in brackets. Identities: consistency + bias_toward_first +
    bias_toward_second = 1, delta_bias = |bias_toward_first - bias_toward_second|, total_bias = 1 -
    consistency.

    unscored   pairs with an order that could not be read: in no rate
    """

    consistent: int
    toward_first: int
    toward_second: int
    unscored: int

    @property
    def n(self) -> int:
        """Pairs with both orders read [`total_num`]."""
        return self.consistent + self.toward_first + self.toward_second

    @property
    def consistency(self) -> float | None:
        """Both orders lead to the same outcome [`consistency`]."""
        return self._share(self.consistent)

    @property
    def bias_toward_first(self) -> float | None:
        """Each candidate fares better when it is shown first [`perfer_before_rate`, sic]."""
        return self._share(self.toward_first)

    @property
    def bias_toward_second(self) -> float | None:
        """Each candidate fares better when it is shown second [`perfer_after_rate`]."""
        return self._share(self.toward_second)

    @property
    def delta_bias(self) -> float | None:
        """How lopsided the inconsistency is: |toward_first - toward_second| / n [`delta_bias`]."""
        return self._share(abs(self.toward_first - self.toward_second))

    @property
    def total_bias(self) -> float | None:
        """Inconsistency of either kind: (toward_first + toward_second) / n [`total_bias`]."""
        return self._share(self.toward_first + self.toward_second)

    def _share(self, count: int) -> float | None:
        return count / self.n if self.n else None


def lean(straight: int, swapped: int) -> Preference:
    """Of the two positions: the judge leans toward the first position, toward neither, toward the second.

    Both preferences are in candidate order (the swapped one restored): +1 the first candidate is
    better, 0 equal, -1 the second is. A tie one way and a win the other is a lean as well.
    """
    return Preference.between(straight, swapped)


def position(straight: Sequence[int | None], swapped: Sequence[int | None]) -> Position:
    """Compare the preferences of the straight and swapped passes, pair by pair, in candidate order.

    JudgeLM's f' is `-straight` and its r is `-swapped` here, so its f' - r < 0 is `swapped < straight`.

    Raises:
        ValueError: the lists differ in length.
    """
    rows = list(zip(straight, swapped, strict=True))
    leans = [lean(s, w) for s, w in rows if s is not None and w is not None]
    return Position(
        consistent=leans.count(Preference.TIE),
        toward_first=leans.count(Preference.FIRST),
        toward_second=leans.count(Preference.SECOND),
        unscored=len(rows) - len(leans),
    )


def position_means(
    leans: Sequence[int], clusters: Sequence[Hashable] | None = None
) -> Mapping[str, Mean]:
    """The measures of `Position` with their intervals, under the bias report's names; empty without leans.

    Args:
        leans: of every pair, as `lean` gives them.
        clusters: the cluster of every pair, see `clusters`.
    """
    signed = signed_mean(leans, clusters)
    if signed is None:
        return {}
    interval = None if signed.interval is None else magnitude(signed.interval)
    means = {
        "flip_consistency": clustered_share([lean == 0 for lean in leans], clusters),
        "bias_toward_first": clustered_share([lean == 1 for lean in leans], clusters),
        "bias_toward_second": clustered_share([lean == -1 for lean in leans], clusters),
        "delta_bias": replace(signed, value=abs(signed.value), interval=interval),
    }
    return {name: mean for name, mean in means.items() if mean is not None}


def order_preferences(
    verdict: Verdict,
) -> Iterator[tuple[Preference | None, Preference | None]]:
    """The preferences of every straight pass and its swapped one, in candidate order; None for one without.

    A request that is judged with and without its reference has two such pairs: with the reference first. A
    jury's verdict has none: its passes are those of several judges. Passes that were asked only because the
    judge was unsure do not count: unsure judges are inconsistent, so they would not be a fair sample.
    """
    if verdict.members:
        return
    for straight, swapped in reversed_pairs(verdict.passes):
        if straight.because_unsure or swapped.because_unsure:
            continue
        yield _preference(straight), _preference(swapped)


def lean_of(verdict: Verdict) -> Preference | None:
    """`lean` of the verdict's first pair of passes that were both read; None without one.

    Only one pair counts, so that one verdict is one observation.
    """
    for straight, swapped in order_preferences(verdict):
        if straight is not None and swapped is not None:
            return lean(straight, swapped)
    return None


def _preference(result: PassResult) -> Preference | None:
    """None for a pass that could not be read, and for one about a single candidate."""
    reading = result.reading
    if not isinstance(reading, Reading) or None in (reading.win, reading.tie, reading.lose):
        return None
    return reading_preference(reading)
