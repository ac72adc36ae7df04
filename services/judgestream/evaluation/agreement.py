"""Agreement of predicted outcomes with gold ones: accuracy, and macro precision, recall and F1."""

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from judgestream.core.preference import Preference
from judgestream.evaluation.macro import Macro, Table, judgelm_macro, macro

CLASSES = tuple(Preference)
"""The outcomes of a pair, in the order of every table: first better, tie, second better."""

Confusion = Mapping[tuple[Hashable, Hashable], int]
"""How often each (gold, predicted) occurred."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Agreement:
    """Agreement of predictions with gold. All rates are shares, 0 to 1; None if `n` is 0.

    n           pairs compared: gold known and prediction readable
    unscored    gold known, prediction None: in no rate below, so publish it beside them
    unlabelled  gold None
    accuracy    share of `n` that is equal
    classes     the classes that the next three average over: those of the gold, or the declared ones
    precision, recall, f1   unweighted means over `classes`
    judgelm     the same by JudgeLM's definition, over the classes of gold and predictions
    """

    n: int
    unscored: int
    unlabelled: int
    accuracy: float | None
    classes: tuple[Hashable, ...]
    precision: float | None
    recall: float | None
    f1: float | None
    judgelm: Macro
    confusion: Confusion


def agreement(
    gold: Sequence[Hashable],
    predicted: Sequence[Hashable],
    *,
    classes: Sequence[Hashable] | None = None,
) -> Agreement:
    """Compare two lists of outcomes, item by item; None stands for unknown or unreadable.

    Outcomes are any hashable labels: +1, 0, -1 for win, tie, lose, or candidate ids. The macro figures are
    over the classes of the gold, so that a single stray prediction of another class does not add a class
    that scores 0: see `macro`.

    Args:
        classes: the classes to average over, when they are to be the same for several data sets.

    Raises:
        ValueError: the lists differ in length, or `classes` is empty.
    """
    rows = list(zip(gold, predicted, strict=True))
    confusion = Counter((g, p) for g, p in rows if g is not None and p is not None)
    n = confusion.total()
    headline = macro(confusion, classes)
    return Agreement(
        n=n,
        unscored=sum(g is not None and p is None for g, p in rows),
        unlabelled=sum(g is None for g, _ in rows),
        accuracy=accuracy_of(confusion),
        classes=headline.classes,
        precision=headline.precision,
        recall=headline.recall,
        f1=headline.f1,
        judgelm=judgelm_macro(confusion),
        confusion=MappingProxyType(confusion),
    )


def accuracy_of(confusion: Table) -> float | None:
    """The share of a confusion's weight that lies on its diagonal; None without weight."""
    total = sum(confusion.values())
    if not total:
        return None
    return (
        sum(weight for (gold, predicted), weight in confusion.items() if gold == predicted) / total
    )
