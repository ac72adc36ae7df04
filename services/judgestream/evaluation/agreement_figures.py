"""Macro figures and kappa of the compared verdicts, each with its interval."""

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace

from judgestream.evaluation.delta import IMAGINED, IMAGINED_FOR_KAPPA, Figure, Row, figure
from judgestream.evaluation.intervals import Interval, percentile_bootstrap
from judgestream.evaluation.judged import CLASSES
from judgestream.evaluation.kappa import kappa_of, pi_of
from judgestream.evaluation.macro import Table, macro

SEED = 20_231_017
"""Of the bootstrap: the same verdicts always give the same intervals."""


def figures(
    rows: Sequence[Row],
    clusters: Sequence[Hashable],
    classes: Sequence[Hashable] | None,
    resamples: int,
) -> dict[str, Figure]:
    """The class set is fixed by the sample: a resample without a class does not change what is averaged."""
    over = macro(Counter(rows), classes).classes or None

    def precision(table: Table) -> float | None:
        return macro(table, over).precision

    def recall(table: Table) -> float | None:
        return macro(table, over).recall

    def f1(table: Table) -> float | None:
        return macro(table, over).f1

    found: dict[str, Figure] = {}
    for name, statistic, imagined, lowest in (
        ("precision", precision, IMAGINED, 0.0),
        ("recall", recall, IMAGINED, 0.0),
        ("f1", f1, IMAGINED, 0.0),
        ("kappa", kappa_of, IMAGINED_FOR_KAPPA, -1.0),
        ("scott_pi", pi_of, IMAGINED_FOR_KAPPA, -1.0),
    ):
        one = figure(statistic, rows, clusters, outcomes=CLASSES, imagined=imagined, lowest=lowest)
        if resamples and one.interval is not None:
            one = replace(one, interval=_resampled(statistic, rows, clusters, resamples))
        found[name] = one
    return found


def _resampled(
    statistic: Callable[[Table], float | None],
    rows: Sequence[Row],
    clusters: Sequence[Hashable],
    resamples: int,
) -> Interval | None:
    return percentile_bootstrap(
        lambda drawn: statistic(Counter(drawn)),
        rows,
        seed=SEED,
        resamples=resamples,
        clusters=clusters,
    )
