"""Mode multi settled, worked by hand."""

from collections.abc import Sequence
from itertools import permutations

import pytest

from judgestream.core.modes import MULTI
from judgestream.core.modes import plan as planned
from judgestream.core.reconcile import Settlement
from judgestream.core.settling.multi import settle_multi
from judgestream.core.templates import JUDGELM
from judgestream.core.types import Options, Orders, PassResult, Reply, Request, Status
from tests.core.build import UNREAD, request

ANSWERS = ("one", "two", "three")


def asked(orders: Orders = Orders.BOTH, answers: Sequence[str] = ANSWERS) -> Request:
    return request(mode="multi", answers=tuple(answers), options=Options(orders=orders))


def settled(wanted: Request, texts: Sequence[str]) -> Settlement:
    """Texts are in shown order, one per pass."""
    passes = planned(wanted, MULTI, JUDGELM)
    results = [one.result(Reply(text=text)) for one, text in zip(passes, texts, strict=True)]
    return settle_multi(wanted, results)


def test_scores_return_to_their_candidates_and_rank_them() -> None:
    # straight shows a, b, c and scores 8 5 6; reversed shows c, b, a and scores 7 4 9
    found = settled(asked(), ["8 5 6", "7 4 9"])
    assert [one.score for one in found.scores] == [8.5, 4.5, 6.5]
    assert [one.rank for one in found.scores] == [1, 3, 2]
    assert [one.p_best for one in found.scores] == [1.0, 0.0, 0.0]
    assert (found.status, found.winner, found.tie) == (Status.SCORED, "a", False)
    assert (found.confidence, found.flipped) == (1.0, False)
    assert (found.p_win, found.p_tie, found.p_lose) == (None, None, None)


def test_equal_means_tie_and_share_a_rank() -> None:
    # a: 8 and 6, b: 6 and 8, c: 3 and 3. The orders prefer different answers
    found = settled(asked(), ["8 6 3", "3 8 6"])
    assert [one.score for one in found.scores] == [7.0, 7.0, 3.0]
    assert [one.rank for one in found.scores] == [1, 1, 3]
    assert [one.p_best for one in found.scores] == [0.5, 0.5, 0.0]
    assert (found.winner, found.tie, found.confidence, found.flipped) == ("", True, 1.0, True)


def test_a_position_that_is_always_preferred_cancels_in_the_rotations() -> None:
    found = settled(asked(Orders.ROTATIONS), ["9 5 1"] * 3)
    assert [one.score for one in found.scores] == [5.0, 5.0, 5.0]
    assert [one.p_best for one in found.scores] == pytest.approx([1 / 3] * 3)
    assert (found.tie, found.flipped) == (True, True)


def test_p_best_averages_over_the_passes() -> None:
    # straight: a and b share the top; reversed: a alone
    found = settled(asked(), ["8 8 2", "2 7 9"])
    assert [one.p_best for one in found.scores] == [0.75, 0.25, 0.0]
    assert (found.winner, found.confidence, found.flipped) == ("a", 0.75, True)


def test_two_answers_have_the_probabilities_of_a_pair() -> None:
    found = settled(asked(Orders.STRAIGHT, ANSWERS[:2]), ["7 7"])
    assert [one.p_best for one in found.scores] == [0.5, 0.5]
    assert (found.tie, found.flipped) == (True, None)


def test_an_unreadable_pass_makes_the_request_unscored() -> None:
    found = settled(asked(), ["8 5 6", "I like the first"])
    assert (found.status, found.winner) == (Status.UNSCORED, "")
    assert found.reason == "unparsable: order-2-1-0"
    assert [one.score for one in found.scores] == [None, None, None]
    assert [one.rank for one in found.scores] == [0, 0, 0]


def test_permuted_candidates_have_a_permuted_ranking() -> None:
    """The same judge on the same answers, whichever the request's order: it scores by the text."""
    worth = {"one": 4, "two": 9, "three": 7}
    places = []
    for order in permutations(ANSWERS):
        wanted = asked(answers=order)
        passes = planned(wanted, MULTI, JUDGELM)
        texts = [
            " ".join(str(worth[name]) for name in one.transform.apply(order)) for one in passes
        ]
        found = settled(wanted, texts)
        places.append({text: one.rank for text, one in zip(order, found.scores, strict=True)})
    assert places == [{"one": 3, "two": 1, "three": 2}] * 6


def test_sixteen_answers_named_by_the_judge_are_read() -> None:
    wanted = asked(Orders.STRAIGHT, [f"answer {k}" for k in range(16)])
    scores = [1 + (7 * k) % 10 for k in range(16)]
    plain = settled(wanted, [" ".join(map(str, scores))])
    named = ", ".join(f"Assistant {k}: {score}" for k, score in enumerate(scores, start=1))
    assert settled(wanted, [named]) == plain
    assert [one.score for one in plain.scores] == scores
    assert plain.winner == wanted.candidates[scores.index(10)].id or plain.tie


def test_there_is_nothing_to_settle_without_a_pass() -> None:
    with pytest.raises(ValueError, match="no pass to settle"):
        settle_multi(asked(), [])
    unread = PassResult(
        transform=planned(asked(), MULTI, JUDGELM)[0].transform,
        reading=UNREAD,
        reply=Reply(text=""),
    )
    assert settle_multi(asked(), [unread]).status is Status.UNSCORED
