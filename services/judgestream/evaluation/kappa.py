"""Agreement of two annotators, corrected for chance: Cohen's kappa and Scott's pi.

Both are (observed - expected) / (1 - expected): 1 is perfect, 0 is chance, below 0 is worse than chance. They
differ in the expected agreement. Counts stay whole numbers until the last step, so that an expected agreement
of 1 is recognised exactly; there the coefficient has no value.
"""

from collections import defaultdict
from collections.abc import Hashable

from judgestream.evaluation.macro import Table


def cohen_kappa(confusion: Table) -> float | None:
    """Cohen (1960): chance is two annotators who each keep their own label shares.

    expected = sum over labels of the share in the first times the share in the second. Symmetric. None for an
    empty confusion, and where chance alone explains full agreement.
    """
    first, second, total = _margins(confusion)
    return _coefficient(
        confusion, total, sum(weight * second.get(label, 0) for label, weight in first.items())
    )


def scott_pi(confusion: Table) -> float | None:
    """Scott (1955): chance is two annotators who share one set of label shares.

    expected = sum over labels of the squared share among all labels of both. Never above Cohen's kappa, and
    well below it when the annotators' label shares differ, which is why "Judging the Judges" (arXiv
    2406.12624) prefers it for lenient judges. None as in `cohen_kappa`.
    """
    first, second, total = _margins(confusion)
    pooled = (first.get(label, 0) + second.get(label, 0) for label in first.keys() | second.keys())
    return _coefficient(confusion, total, sum(weight * weight for weight in pooled) / 4)


def _margins(confusion: Table) -> tuple[dict[Hashable, float], dict[Hashable, float], float]:
    first: defaultdict[Hashable, float] = defaultdict(int)
    second: defaultdict[Hashable, float] = defaultdict(int)
    for (one, other), weight in confusion.items():
        first[one] += weight
        second[other] += weight
    return first, second, sum(first.values())


def _coefficient(confusion: Table, total: float, by_chance: float) -> float | None:
    """`by_chance` is the expected agreement times the squared total."""
    if not total:
        return None
    observed = sum(weight for (one, other), weight in confusion.items() if one == other) / total
    expected = by_chance / (total * total)
    return None if expected >= 1.0 else (observed - expected) / (1.0 - expected)
