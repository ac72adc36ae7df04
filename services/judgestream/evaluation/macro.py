"""Macro precision, recall and F1: unweighted means over a stated set of classes."""

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

Table = Mapping[tuple[Hashable, Hashable], float]
"""The weight (a count or a share) of each (gold, predicted)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Macro:
    """Means over `classes`, 0 to 1; None without any class.

    An undefined precision (a class never predicted) or recall (never gold) counts 0. The F1 is the mean of
    the classes' F1, not the F1 of the means. Both as scikit-learn's `average="macro"` has them.
    """

    classes: tuple[Hashable, ...]
    precision: float | None
    recall: float | None
    f1: float | None


def macro(confusion: Table, classes: Sequence[Hashable] | None = None) -> Macro:
    """Over the declared classes, else over those of the gold.

    Over the gold's classes a verdict of another class costs what it should (a miss of its gold class) and no
    more. 1,000 pairs without ties, 900 right, one of them turned into a tie: F1 .8994 here, .5996 by
    JudgeLM's definition, which lets the stray tie in as a third class that scores 0.

    Raises:
        ValueError: `classes` is there and empty.
    """
    if classes is not None and not classes:
        raise ValueError("declare at least one class to average over")
    gold = {g for (g, _), weight in confusion.items() if weight}
    return _over(
        confusion, tuple(dict.fromkeys(classes)) if classes is not None else _ordered(gold)
    )


def judgelm_macro(confusion: Table) -> Macro:
    """JudgeLM's own definition: over every class that occurs in the gold or in the predictions.

    For parity with published figures (arXiv 2310.17631, scikit-learn without `labels`). JudgeLM also turns
    an unreadable prediction into a tie: for that, put ties in place of None before comparing.
    """
    return _over(
        confusion, _ordered({c for pair, weight in confusion.items() if weight for c in pair})
    )


def _over(confusion: Table, classes: tuple[Hashable, ...]) -> Macro:
    if not classes or not any(confusion.values()):
        return Macro(classes=classes, precision=None, recall=None, f1=None)
    gold: defaultdict[Hashable, float] = defaultdict(float)
    predicted: defaultdict[Hashable, float] = defaultdict(float)
    for (g, p), weight in confusion.items():
        gold[g] += weight
        predicted[p] += weight
    precision = recall = f1 = 0.0
    for one in classes:
        hits = confusion.get((one, one), 0.0)
        precision += hits / predicted[one] if predicted[one] else 0.0
        recall += hits / gold[one] if gold[one] else 0.0
        both = gold[one] + predicted[one]
        f1 += 2.0 * hits / both if both else 0.0
    count = len(classes)
    return Macro(classes=classes, precision=precision / count, recall=recall / count, f1=f1 / count)


def _ordered(classes: set[Hashable]) -> tuple[Hashable, ...]:
    """First better, tie, second better; other labels by their text."""
    return tuple(sorted(classes, key=lambda c: (-c, "") if isinstance(c, int) else (2, str(c))))
