"""A judge that says whether an answer is correct, against labels: agreement, precision, recall, leniency."""

from collections.abc import Callable, Hashable, Mapping, Sequence

from judgestream.evaluation.agreement import accuracy_of
from judgestream.evaluation.delta import IMAGINED, IMAGINED_FOR_KAPPA, Figure, figure
from judgestream.evaluation.kappa import cohen_kappa, scott_pi
from judgestream.evaluation.krippendorff import alpha_of
from judgestream.evaluation.leniency import leniency_figures
from judgestream.evaluation.macro import Table

CORRECT, INCORRECT = True, False


def binary_figures(
    pairs: Sequence[tuple[bool, bool]], clusters: Sequence[Hashable] | None = None
) -> dict[str, Figure]:
    """Of (label, verdict) pairs, True for correct, with the intervals of `delta.figure`.

    accuracy, kappa, scott_pi, alpha   over both outcomes
    precision, recall, f1              of "correct"; None where it never occurs
    criteria, positive                 Pc and P+, see `leniency`
    """
    rows: Sequence[tuple[Hashable, Hashable]] = pairs
    statistics: Mapping[str, tuple[Callable[[Table], float | None], float, float]] = {
        "accuracy": (accuracy_of, IMAGINED, 0.0),
        "kappa": (cohen_kappa, IMAGINED_FOR_KAPPA, -1.0),
        "scott_pi": (scott_pi, IMAGINED_FOR_KAPPA, -1.0),
        "alpha": (alpha_of(len(pairs)), IMAGINED_FOR_KAPPA, -1.0),
        "precision": (precision, IMAGINED, 0.0),
        "recall": (recall, IMAGINED, 0.0),
        "f1": (f1, IMAGINED, 0.0),
    }
    found = {
        name: figure(
            statistic,
            rows,
            clusters,
            outcomes=(CORRECT, INCORRECT),
            imagined=imagined,
            lowest=lowest,
        )
        for name, (statistic, imagined, lowest) in statistics.items()
    }
    return found | leniency_figures(pairs, clusters)


def precision(table: Table) -> float | None:
    """The share of correct answers among those that are called so."""
    return _share(table, (INCORRECT, CORRECT))


def recall(table: Table) -> float | None:
    """The share of correct answers that are called so."""
    return _share(table, (CORRECT, INCORRECT))


def f1(table: Table) -> float | None:
    """The harmonic mean of precision and recall."""
    hits = table.get((CORRECT, CORRECT), 0.0)
    misses = table.get((CORRECT, INCORRECT), 0.0) + table.get((INCORRECT, CORRECT), 0.0)
    return 2.0 * hits / (2.0 * hits + misses) if hits + misses else None


def _share(table: Table, other: tuple[bool, bool]) -> float | None:
    hits = table.get((CORRECT, CORRECT), 0.0)
    total = hits + table.get(other, 0.0)
    return hits / total if total else None
