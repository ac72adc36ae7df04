"""Scores on the template's grid: rounded, and never so that another answer wins."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judgestream.core.templates import JUDGELM, JUDGELM_HALVES
from judgestream_trainer.training.grid import on_grid

WHOLE = JUDGELM.forms["pair"].grammar.values
HALVES = JUDGELM_HALVES.forms["pair"].grammar.values


@pytest.mark.parametrize(
    ("scores", "whole", "halves"),
    [
        ((8, 7), (8, 7), (8, 7)),
        ((7.5, 8), (7, 8), (7.5, 8)),  # 8 would make it a tie
        ((8.5, 8), (9, 8), (8.5, 8)),
        ((7.5, 7.5), (8, 8), (7.5, 7.5)),  # half way: up
        ((7.5, 2), (8, 2), (7.5, 2)),
        ((7.6, 7.5), (8, 7), None),
        ((8.2, 7.9), None, None),
        ((0, 5), (1, 5), (1, 5)),  # below the scale
        ((0, 1), None, None),
        ((0, 0), (1, 1), (1, 1)),
        ((10, 9.9), None, None),
    ],
)
def test_scores_go_to_the_nearest_label_that_keeps_the_winner(
    scores: tuple[float, float],
    whole: tuple[float, float] | None,
    halves: tuple[float, float] | None,
) -> None:
    assert on_grid(scores, WHOLE) == whole
    assert on_grid(scores, HALVES) == halves


scores = st.floats(0, 10).map(lambda score: round(score, 1))


@given(st.tuples(scores, scores))
def test_the_winner_stays_and_swapping_the_scores_swaps_the_result(
    pair: tuple[float, float],
) -> None:
    for labels in (WHOLE, HALVES):
        found = on_grid(pair, labels)
        mirrored = on_grid(pair[::-1], labels)
        if found is None:
            assert mirrored is None
            continue
        assert mirrored == found[::-1]
        assert set(found) <= set(labels)
        assert (found[0] > found[1]) == (pair[0] > pair[1])
        assert (found[0] < found[1]) == (pair[0] < pair[1])
