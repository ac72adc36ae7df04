"""Summary of one set of judged items for a card, under our names and under JudgeLM's."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from judgestream.core.preference import Preference
from judgestream.evaluation.agreement import agreement
from judgestream.evaluation.intervals import wilson_score
from judgestream.evaluation.measures import Estimate, ece_if_calibrated, estimates
from judgestream.evaluation.pair_outcome import PairOutcome
from judgestream.evaluation.position import position


@dataclass(frozen=True, kw_only=True, slots=True)
class Share:
    """`count / n` with its 95 % Wilson interval."""

    count: int
    n: int
    share: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Figures:
    """The figures of one set of items; all are shares, 0 to 1.

    accuracy to unscored   see `estimates`, each with its 95 % interval; of the settled verdict
    ece_if_calibrated      mean `ece` of a perfectly calibrated judge with these confidences
    decided_accuracy       accuracy over the items whose truth is not a tie; None without any
    longer_is_better, shorter_is_better   accuracy where the better answer has more, or fewer, characters
    """

    n: int
    accuracy: Estimate
    precision: Estimate
    recall: Estimate
    f1: Estimate
    consistency: Estimate
    toward_first: Estimate
    toward_second: Estimate
    delta_bias: Estimate
    ece: Estimate
    unscored: Estimate
    ece_if_calibrated: float
    decided_accuracy: Share | None
    longer_is_better: Share | None
    shorter_is_better: Share | None


def figures(judged: Sequence[PairOutcome]) -> Figures:
    """The figures of one set.

    Raises:
        ValueError: nothing in it could be read.
    """
    decided = [j for j in judged if j.truth and j.verdict is not None]
    return Figures(
        n=len(judged),
        **estimates(judged),
        ece_if_calibrated=ece_if_calibrated(judged),
        decided_accuracy=_right(decided),
        longer_is_better=_right([j for j in decided if j.truth == j.longer]),
        shorter_is_better=_right([j for j in decided if j.truth == -j.longer]),
    )


def greedy(judged: Sequence[PairOutcome]) -> list[PairOutcome]:
    """The same items by JudgeLM's rule: the scores written in the straight order are the verdict, and an
    unreadable reply is a tie, as in its evaluator. There is no confidence."""
    return [
        replace(
            j,
            verdict=j.greedy_straight or Preference.TIE,
            straight=j.greedy_straight or Preference.TIE,
            swapped=j.greedy_swapped or Preference.TIE,
            confidence=0.0,
        )
        for j in judged
    ]


def upstream(judged: Sequence[PairOutcome]) -> dict[str, float]:
    """JudgeLM's metrics under the names of its `eval_model_judgement.py`, by its rule: agreement of the
    straight order only, unreadable replies as ties.

    Raises:
        ValueError: no items.
    """
    if not judged:
        raise ValueError("nothing was judged")
    rows = greedy(judged)
    agreed = agreement([j.truth for j in rows], [j.verdict for j in rows])
    where = position([j.straight for j in rows], [j.swapped for j in rows])
    found = {
        "accuracy": agreed.accuracy,
        "precision": agreed.judgelm.precision,
        "recall": agreed.judgelm.recall,
        "f1": agreed.judgelm.f1,
        "consistency": where.consistency,
        "perfer_before_rate": where.bias_toward_first,  # sic
        "perfer_after_rate": where.bias_toward_second,
        "delta_bias": where.delta_bias,
        "total_bias": where.total_bias,
        "total_num": float(len(rows)),
    }
    return {name: value for name, value in found.items() if value is not None}


def share(count: int, n: int) -> Share:
    interval = wilson_score(count, n)
    return Share(count=count, n=n, share=count / n, low=interval.low, high=interval.high)


def _right(judged: Sequence[PairOutcome]) -> Share | None:
    if not judged:
        return None
    return share(sum(j.right for j in judged), len(judged))
