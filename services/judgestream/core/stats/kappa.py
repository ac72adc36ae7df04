"""Agreement of two annotators, corrected for chance: Cohen's kappa and Scott's pi."""

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass


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
