"""Agreement of predicted outcomes with gold ones: accuracy and macro precision, recall, F1."""

from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

Confusion = Mapping[tuple[Hashable, Hashable], int]
"""How often each (gold, predicted) occurred."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Agreement:
    """How far predictions match gold. All rates are shares, 0 to 1; None when `n` is 0.

    n           pairs compared: gold known and prediction readable
    unscored    gold known, prediction None: in no rate below, so publish it beside them
    unlabelled  gold None: nothing to compare with
    accuracy    share of `n` that is equal
    precision, recall, f1   unweighted means over the classes that occur in gold or predictions
    """

    n: int
    unscored: int
    unlabelled: int
    accuracy: float | None
    precision: float | None
    recall: float | None
    f1: float | None
    confusion: Confusion


def agreement(gold: Sequence[Hashable], predicted: Sequence[Hashable]) -> Agreement:
    """Compare two lists of outcomes, item by item; None stands for unknown or unreadable.

    Outcomes are any hashable labels: +1, 0, -1 for win, tie, lose, or candidate ids.

    Source: JudgeLM's evaluator (arXiv 2310.17631), which is scikit-learn's `average="macro"`: a class
    counts when it occurs in gold or in the predictions, and an undefined precision or recall counts 0. The
    F1 is the mean of the classes' F1, not the F1 of the means. JudgeLM also turns an unreadable prediction
    into a tie; for that parity, put ties in place of None before calling.

    Raises:
        ValueError: the lists differ in length.
    """
    rows = list(zip(gold, predicted, strict=True))
    confusion = Counter((g, p) for g, p in rows if g is not None and p is not None)
    n = confusion.total()
    return Agreement(
        n=n,
        unscored=sum(g is not None and p is None for g, p in rows),
        unlabelled=sum(g is None for g, _ in rows),
        accuracy=sum(c for (g, p), c in confusion.items() if g == p) / n if n else None,
        precision=_macro(confusion, _precision),
        recall=_macro(confusion, _recall),
        f1=_macro(confusion, _f1),
        confusion=MappingProxyType(confusion),
    )


def _macro(confusion: Confusion, of_class: Callable[[int, int, int], float]) -> float | None:
    """Mean over classes of `of_class(hits, times predicted, times gold)`."""
    predicted: Counter[Hashable] = Counter()
    gold: Counter[Hashable] = Counter()
    for (g, p), count in confusion.items():
        gold[g] += count
        predicted[p] += count
    classes = gold.keys() | predicted.keys()
    if not classes:
        return None
    return sum(of_class(confusion.get((c, c), 0), predicted[c], gold[c]) for c in classes) / len(
        classes
    )


def _precision(hits: int, predicted: int, gold: int) -> float:
    return hits / predicted if predicted else 0.0


def _recall(hits: int, predicted: int, gold: int) -> float:
    return hits / gold if gold else 0.0


def _f1(hits: int, predicted: int, gold: int) -> float:
    return 2 * hits / (predicted + gold)
