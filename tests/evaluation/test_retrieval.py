"""Ranked documents: worked by hand."""

from math import log2

import pytest

from judgestream.evaluation.retrieval import (
    average_precision,
    ndcg,
    precision,
    ranked,
    recall,
    reciprocal_rank,
)

ORDER = ["a", "b", "c", "d"]
GOLD = frozenset(("b", "d", "z"))


def test_the_order_is_trec_evals() -> None:
    # equal scores: the greater id first
    assert ranked({"a": 1.0, "b": 1.0, "c": 2.0, "a10": 1.0}) == ["c", "b", "a10", "a"]


def test_figures_of_a_ranking_with_two_of_three_relevant_documents() -> None:
    # gains at ranks 2 and 4; the best order has them at 1, 2 and 3
    gain = 1 / log2(3) + 1 / log2(5)
    ideal = 1 + 1 / log2(3) + 1 / log2(4)
    assert ndcg(ORDER, GOLD) == pytest.approx(gain / ideal)
    assert ndcg(ORDER, GOLD, 2) == pytest.approx((1 / log2(3)) / (1 + 1 / log2(3)))
    assert average_precision(ORDER, GOLD) == pytest.approx((1 / 2 + 2 / 4) / 3)
    assert reciprocal_rank(ORDER, GOLD) == 0.5
    assert precision(ORDER, GOLD, 10) == pytest.approx(2 / 10)
    assert recall(ORDER, GOLD, 2) == pytest.approx(1 / 3)


def test_the_best_order_has_1_and_an_empty_one_0() -> None:
    assert ndcg(["b", "d", "z", "a"], GOLD) == pytest.approx(1.0)
    nothing: frozenset[str] = frozenset()
    assert ndcg(ORDER, nothing) == average_precision(ORDER, nothing) == recall(ORDER, nothing, 5)
    assert ndcg([], GOLD) == reciprocal_rank([], GOLD) == 0.0
