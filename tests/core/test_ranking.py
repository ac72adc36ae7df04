"""Ranks with ties from scores, and P(best), worked by hand."""

from itertools import permutations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judgestream.core.ranking import (
    Ranking,
    _gauss_legendre,
    p_best_of_distributions,
    p_best_of_scores,
)
from judgestream.core.types import CandidateScore

RANKS = [
    ((8.0, 5.0, 9.0), (2, 3, 1)),
    ((8.0, 8.0, 3.0), (1, 1, 3)),
    ((3.0, 8.0, 5.0, 5.0, 1.0), (4, 1, 2, 2, 5)),
    ((7.0, 7.0, 7.0), (1, 1, 1)),
    ((4.0, None, 6.0), (2, 0, 1)),
    ((None, None), (0, 0)),
    ((-2.0, 0.0), (2, 1)),
    ((0.1 + 0.2, 0.3, 0.2), (1, 1, 3)),  # 0.30000000000000004
    ((5.0,), (1,)),
    ((), ()),
]


@pytest.mark.parametrize(("scores", "ranks"), RANKS)
def test_equal_scores_share_a_rank_and_the_next_rank_skips(
    scores: tuple[float | None, ...], ranks: tuple[int, ...]
) -> None:
    assert Ranking.of_scores(scores).ranks == ranks


@given(st.lists(st.integers(0, 4), min_size=1, max_size=6))
def test_a_rank_is_one_more_than_the_number_of_better_candidates(scores: list[int]) -> None:
    ranks = Ranking.of_scores([float(score) for score in scores]).ranks
    assert ranks == tuple(1 + sum(other > score for other in scores) for score in scores)


def test_the_winner_is_the_only_candidate_of_rank_one() -> None:
    clear = Ranking.of_scores((2.0, 9.0, 5.0), (0.0, 0.9, 0.1))
    assert (clear.winner("abc"), clear.tie, clear.confidence) == ("b", False, 0.9)
    level = Ranking.of_scores((9.0, 2.0, 9.0), (0.5, 0.25, 0.25))
    assert (level.winner("abc"), level.tie, level.confidence) == ("", True, 0.75)
    empty = Ranking.of_scores((None, None))
    assert (empty.winner("ab"), empty.tie, empty.confidence) == ("", False, None)


def test_a_ranking_completes_the_scores() -> None:
    scores = [CandidateScore(candidate_id=name, score=1.0, length=4) for name in "ab"]
    first, second = Ranking(ranks=(2, 1), p_best=(0.25, 0.75)).on(scores)
    assert (first.rank, first.p_best, first.length) == (2, 0.25, 4)
    assert (second.rank, second.p_best) == (1, 0.75)
    assert Ranking(ranks=(1, 2)).on(scores)[0].p_best is None


def test_the_highest_scores_share_p_best() -> None:
    assert p_best_of_scores((8.0, 3.0, 8.0, 8.0)) == pytest.approx((1 / 3, 0, 1 / 3, 1 / 3))
    assert p_best_of_scores((8.0, 9.0)) == (0.0, 1.0)


def test_p_best_of_three_by_hand() -> None:
    """Values 1 and 2. a is 2 with .5, b is 2 with .5, c is always 1.

    a alone at 2: .25; a and b at 2: .25, shared; all at 1: .25, shared by three.
    a: .25 + .125 + .25/3 = .458333; c: .25/3.
    """
    rows = [(0.5, 0.5), (0.5, 0.5), (1.0, 0.0)]
    expected = (0.25 + 0.125 + 0.25 / 3, 0.25 + 0.125 + 0.25 / 3, 0.25 / 3)
    assert p_best_of_distributions(rows, (1.0, 2.0)) == pytest.approx(expected)


def test_p_best_does_not_need_probabilities_that_sum_to_one_or_values_in_order() -> None:
    half = [(0.25, 0.25), (0.25, 0.25), (0.5, 0.0)]
    full = [(0.5, 0.5), (0.5, 0.5), (0.0, 1.0)]
    expected = p_best_of_distributions([(0.5, 0.5), (0.5, 0.5), (1.0, 0.0)], (1.0, 2.0))
    assert p_best_of_distributions(half, (1.0, 2.0)) == pytest.approx(expected)
    assert p_best_of_distributions(full, (2.0, 1.0)) == pytest.approx(expected)


@given(st.lists(st.tuples(*[st.integers(0, 5)] * 3).filter(any), min_size=2, max_size=4))
def test_p_best_is_that_of_every_outcome_counted(weights: list[tuple[int, ...]]) -> None:
    values = (1.0, 2.0, 3.0)
    expected = [0.0] * len(weights)
    for outcome in product(range(3), repeat=len(weights)):
        chance = 1.0
        for row, index in zip(weights, outcome, strict=True):
            chance *= row[index] / sum(row)
        for k, share in enumerate(p_best_of_scores([values[index] for index in outcome])):
            expected[k] += chance * share
    found = p_best_of_distributions([[float(w) for w in row] for row in weights], values)
    assert found == pytest.approx(expected, abs=1e-12)
    assert sum(found) == pytest.approx(1)


@pytest.mark.parametrize("count", range(1, 33))
def test_the_quadrature_is_exact_for_polynomials(count: int) -> None:
    """The integral of x^d from 0 to 1 is 1 / (d + 1), up to d = 2 count - 1."""
    nodes = _gauss_legendre(count)
    for degree in range(2 * count):
        integral = sum(weight * x**degree for x, weight in nodes)
        assert integral == pytest.approx(1 / (degree + 1), abs=1e-13)


def test_sixteen_alike_share_alike() -> None:
    found = p_best_of_distributions([(0.2, 0.3, 0.5)] * 16, (1.0, 2.0, 3.0))
    assert found == pytest.approx([1 / 16] * 16, abs=1e-13)


def test_permuted_candidates_have_permuted_places() -> None:
    rows = [(0.1, 0.9), (0.7, 0.3), (0.4, 0.6)]
    straight = p_best_of_distributions(rows, (1.0, 2.0))
    for order in permutations(range(3)):
        shown = p_best_of_distributions([rows[k] for k in order], (1.0, 2.0))
        assert shown == pytest.approx([straight[k] for k in order], abs=1e-15)
