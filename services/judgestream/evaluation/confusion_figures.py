"""Macro figures and chance-corrected agreement of (gold, predicted) pairs, each with its interval."""

from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace

from judgestream.evaluation.agreement import CLASSES
from judgestream.evaluation.bootstrap import percentile_bootstrap
from judgestream.evaluation.delta import IMAGINED, IMAGINED_FOR_KAPPA, Figure, LabelPair, figure
from judgestream.evaluation.intervals import Interval
from judgestream.evaluation.kappa import cohen_kappa, scott_pi
from judgestream.evaluation.krippendorff import alpha_of
from judgestream.evaluation.macro import Table, macro

SEED = 20_231_017
"""Of the bootstrap: the same verdicts always give the same intervals."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Statistic:
    of: Callable[[Table], float | None]
    imagined: float
    lowest: float


def macro_figures(
    pairs: Sequence[LabelPair],
    clusters: Sequence[Hashable] | None = None,
    *,
    classes: Sequence[Hashable] | None = None,
    resamples: int = 0,
) -> dict[str, Figure]:
    """Macro precision, recall and f1.

    The sample fixes the class set: a resample without a class does not change what is averaged.

    Args:
        clusters: the cluster of every pair, see `clusters`.
        classes: to average over; those of the gold when None.
        resamples: of a bootstrap in place of the closed form, 0 for none.
    """
    over = macro(Counter(pairs), classes).classes or None
    statistics = {
        "precision": _Statistic(
            of=lambda table: macro(table, over).precision, imagined=IMAGINED, lowest=0.0
        ),
        "recall": _Statistic(
            of=lambda table: macro(table, over).recall, imagined=IMAGINED, lowest=0.0
        ),
        "f1": _Statistic(of=lambda table: macro(table, over).f1, imagined=IMAGINED, lowest=0.0),
    }
    return _figures(statistics, pairs, clusters, resamples)


def chance_corrected_figures(
    pairs: Sequence[LabelPair],
    clusters: Sequence[Hashable] | None = None,
    *,
    resamples: int = 0,
) -> dict[str, Figure]:
    """Cohen's kappa, Scott's pi and Krippendorff's alpha. Arguments as of `macro_figures`."""
    statistics = {
        "kappa": _Statistic(of=cohen_kappa, imagined=IMAGINED_FOR_KAPPA, lowest=-1.0),
        "scott_pi": _Statistic(of=scott_pi, imagined=IMAGINED_FOR_KAPPA, lowest=-1.0),
        "alpha": _Statistic(of=alpha_of(len(pairs)), imagined=IMAGINED_FOR_KAPPA, lowest=-1.0),
    }
    return _figures(statistics, pairs, clusters, resamples)


def _figures(
    statistics: Mapping[str, _Statistic],
    pairs: Sequence[LabelPair],
    clusters: Sequence[Hashable] | None,
    resamples: int,
) -> dict[str, Figure]:
    figures: dict[str, Figure] = {}
    for name, statistic in statistics.items():
        result = figure(
            statistic.of,
            pairs,
            clusters,
            outcomes=CLASSES,
            imagined=statistic.imagined,
            lowest=statistic.lowest,
        )
        if resamples and result.interval is not None:
            result = replace(result, interval=_resampled(statistic, pairs, clusters, resamples))
        figures[name] = result
    return figures


def _resampled(
    statistic: _Statistic,
    pairs: Sequence[LabelPair],
    clusters: Sequence[Hashable] | None,
    resamples: int,
) -> Interval | None:
    return percentile_bootstrap(
        lambda drawn: statistic.of(Counter(drawn)),
        pairs,
        seed=SEED,
        resamples=resamples,
        clusters=clusters,
    )
