"""Figures of ranked documents, as pytrec_eval computes them (binary relevance; queries are averaged).

A run's order is by descending score; documents with equal scores stand in descending order of their ids, as
in trec_eval.
"""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from math import log2

Run = Mapping[str, float]
"""Document -> score."""


def ranked(run: Run) -> list[str]:
    """The documents in trec_eval's order."""
    return sorted(run, key=lambda name: (run[name], name), reverse=True)


def ndcg(order: Sequence[str], relevant: AbstractSet[str], k: int = 10) -> float:
    """Gain of the first `k` documents over that of the best order; 0 without a relevant document.

    DCG = sum over ranks r of relevance / log2(r + 1).
    """
    gain = sum(1 / log2(r + 1) for r, name in enumerate(order[:k], start=1) if name in relevant)
    ideal = sum(1 / log2(r + 1) for r in range(1, min(k, len(relevant)) + 1))
    return gain / ideal if ideal else 0.0


def average_precision(order: Sequence[str], relevant: AbstractSet[str]) -> float:
    """The mean over relevant documents of the precision at their ranks; 0 for one that is not ranked."""
    found, total = 0, 0.0
    for rank, name in enumerate(order, start=1):
        if name in relevant:
            found += 1
            total += found / rank
    return total / len(relevant) if relevant else 0.0


def reciprocal_rank(order: Sequence[str], relevant: AbstractSet[str]) -> float:
    """1 over the rank of the first relevant document; 0 without one."""
    return next((1 / rank for rank, name in enumerate(order, start=1) if name in relevant), 0.0)


def precision(order: Sequence[str], relevant: AbstractSet[str], k: int) -> float:
    """Relevant documents among the first `k`, divided by `k` also where fewer are ranked."""
    return len(relevant & set(order[:k])) / k


def recall(order: Sequence[str], relevant: AbstractSet[str], k: int) -> float:
    """Of the relevant documents, the share among the first `k`; 0 without a relevant one."""
    return len(relevant & set(order[:k])) / len(relevant) if relevant else 0.0
