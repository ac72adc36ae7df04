"""Agreement of two annotators, corrected for chance: Cohen's kappa and Scott's pi."""

from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from judgestream.evaluation.macro import Table


@dataclass(frozen=True, kw_only=True, slots=True)
class ChanceCorrected:
    """(observed - expected) / (1 - expected): 1 is perfect, 0 is chance, below 0 is worse than chance.

    value      -1 to 1; None when nothing was compared, or when chance alone explains full agreement
    observed   share of `n` where both annotators agree
    expected   share where they would agree by chance, under the coefficient's own model of chance
    n          items that both annotators labelled
    unscored   items that at least one of them left open (None): in no number above
    """

    value: float | None
    observed: float | None
    expected: float | None
    n: int
    unscored: int


def cohen_kappa(first: Sequence[Hashable], second: Sequence[Hashable]) -> ChanceCorrected:
    """Cohen (1960): chance is two annotators who each keep their own label shares.

    expected = sum over labels of share in `first` times share in `second`. Symmetric in its arguments.
    """
    pairs, unscored = _complete(first, second)
    ours, theirs = Counter(a for a, _ in pairs), Counter(b for _, b in pairs)
    by_chance = sum(count * theirs[label] for label, count in ours.items())
    return _correct(pairs, unscored, by_chance, len(pairs) ** 2)


def scott_pi(first: Sequence[Hashable], second: Sequence[Hashable]) -> ChanceCorrected:
    """Scott (1955): chance is two annotators who share one set of label shares.

    expected = sum over labels of the squared share among all labels of both. Never above Cohen's kappa,
    and well below it when the annotators' label shares differ, which is why "Judging the Judges" (arXiv
    2406.12624) prefers it for lenient judges.
    """
    pairs, unscored = _complete(first, second)
    pooled = Counter(label for pair in pairs for label in pair)
    by_chance = sum(count * count for count in pooled.values())
    return _correct(pairs, unscored, by_chance, 4 * len(pairs) ** 2)


def _complete(
    first: Sequence[Hashable], second: Sequence[Hashable]
) -> tuple[list[tuple[Hashable, Hashable]], int]:
    rows = list(zip(first, second, strict=True))
    pairs = [(a, b) for a, b in rows if a is not None and b is not None]
    return pairs, len(rows) - len(pairs)


def _correct(
    pairs: list[tuple[Hashable, Hashable]], unscored: int, by_chance: int, of: int
) -> ChanceCorrected:
    """Integers until the last step, so that an expected agreement of one is recognised exactly."""
    if not pairs:
        return ChanceCorrected(value=None, observed=None, expected=None, n=0, unscored=unscored)
    observed = sum(a == b for a, b in pairs) / len(pairs)
    expected = by_chance / of
    value = None if by_chance == of else (observed - expected) / (1 - expected)
    return ChanceCorrected(
        value=value, observed=observed, expected=expected, n=len(pairs), unscored=unscored
    )


def kappa_of(confusion: Table) -> float | None:
    """Cohen's kappa of a confusion of any weights; None where chance alone explains it."""
    ours, theirs, total = _margins(confusion)
    return _coefficient(
        confusion, total, sum(weight * theirs.get(label, 0.0) for label, weight in ours.items())
    )


def pi_of(confusion: Table) -> float | None:
    """Scott's pi of a confusion of any weights; None where chance alone explains it."""
    ours, theirs, total = _margins(confusion)
    pooled = (ours.get(c, 0.0) + theirs.get(c, 0.0) for c in ours.keys() | theirs.keys())
    return _coefficient(confusion, total, sum(weight * weight for weight in pooled) / 4.0)


def _margins(confusion: Table) -> tuple[dict[Hashable, float], dict[Hashable, float], float]:
    ours: defaultdict[Hashable, float] = defaultdict(float)
    theirs: defaultdict[Hashable, float] = defaultdict(float)
    for (one, other), weight in confusion.items():
        ours[one] += weight
        theirs[other] += weight
    return ours, theirs, sum(ours.values())


def _coefficient(confusion: Table, total: float, by_chance: float) -> float | None:
    """`by_chance` is the expected agreement times the squared total."""
    if not total:
        return None
    observed = sum(weight for (a, b), weight in confusion.items() if a == b) / total
    expected = by_chance / (total * total)
    return None if expected >= 1.0 else (observed - expected) / (1.0 - expected)
