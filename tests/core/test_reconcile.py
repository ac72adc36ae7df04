"""Settling rules, with small readings worked by hand."""

import random

import pytest

from judgestream.core.passes import restored
from judgestream.core.reconcile import (
    is_draw,
    preference,
    reading_preference,
    settle_pair,
    settle_single,
)
from judgestream.core.transforms import STRAIGHT, SWAPPED, Transform
from judgestream.core.types import PassResult, Reading, Reply, Status, Unread, Unreadable
from tests.core.build import EQUAL, FIRST, SECOND, UNREAD, reading, request, result

PREFERENCES = [
    ((0.6, 0.3, 0.1), 1),
    ((0.1, 0.3, 0.6), -1),
    ((0.3, 0.4, 0.3), 0),
    ((0.5, 0.0, 0.5), 0),  # an exact draw favours neither position
    ((0.4, 0.4, 0.2), 0),  # a tie as likely as the better side
    ((0.2, 0.4, 0.4), 0),
    ((1.0, 0.0, 0.0), 1),
]


@pytest.mark.parametrize(("probs", "side"), PREFERENCES)
def test_preference_is_the_most_probable_outcome(
    probs: tuple[float, float, float], side: int
) -> None:
    win, tie, lose = probs
    assert preference(win, tie, lose) == side
    assert preference(lose, tie, win) == -side
    assert reading_preference(reading(win, tie, lose)) == side


def test_a_reading_without_probabilities_has_no_preference() -> None:
    with pytest.raises(ValueError, match="without win, tie and lose"):
        reading_preference(Reading(means=(7.0,), greedy=(7.0,)))


def test_settling_both_orders_worked_by_hand() -> None:
    # straight 0.7 0.2 0.1, swapped (restored) 0.3 0.4 0.3: mean 0.5 0.3 0.2, so the first wins with 0.5
    # means: first (8 + 6) / 2 = 7, second (5 + 6) / 2 = 5.5; the swapped pass alone is a tie: flipped
    straight = Reading(means=(8.0, 5.0), greedy=(8.0, 5.0), win=0.7, tie=0.2, lose=0.1)
    swapped = Reading(means=(6.0, 6.0), greedy=(6.0, 6.0), win=0.3, tie=0.4, lose=0.3)
    asked = request(answers=("four", "fifteen letters"))
    found = settle_pair(asked, [result("straight", straight), result("swapped", swapped)])
    assert (found.status, found.winner, found.tie) == (Status.SCORED, "a", False)
    assert (found.p_win, found.p_tie, found.p_lose) == pytest.approx((0.5, 0.3, 0.2))
    assert found.confidence == pytest.approx(0.5)
    assert found.flipped is True
    assert [score.score for score in found.scores] == [7.0, 5.5]
    assert [score.candidate_id for score in found.scores] == ["a", "b"]
    assert [score.system for score in found.scores] == ["system-a", "system-b"]
    assert [score.length for score in found.scores] == [4, 15]


# straight, swapped (restored) -> winner, tie, flipped
OUTCOMES = [
    (FIRST, FIRST, "a", False, False),
    (SECOND, SECOND, "b", False, False),
    (EQUAL, EQUAL, "", True, False),
    (FIRST, SECOND, "", True, True),  # 0.4 0.2 0.4: an exact draw
    (FIRST, EQUAL, "a", False, True),  # 0.45 0.4 0.15
    (SECOND, EQUAL, "b", False, True),
]


@pytest.mark.parametrize(("straight", "swapped", "winner", "tie", "flipped"), OUTCOMES)
def test_both_orders_settle_to_the_averaged_outcome(
    straight: Reading, swapped: Reading, winner: str, tie: bool, flipped: bool
) -> None:
    found = settle_pair(request(), [result("straight", straight), result("swapped", swapped)])
    assert (found.winner, found.tie, found.flipped) == (winner, tie, flipped)


# win, tie, lose of one pass -> winner, tie, confidence, whether it is a draw
EDGES = [
    ((0.5, 0.0, 0.5), "", True, 0.5, True),  # text alone, and the orders contradict each other
    ((0.4, 0.2, 0.4), "", True, 0.4, True),
    ((0.495, 0.015, 0.49), "a", False, 0.495, False),
    ((0.4, 0.4, 0.2), "", True, 0.4, False),  # a tie as probable as the better side
    ((0.3, 0.4, 0.3), "", True, 0.4, False),
    ((1 / 3, 1 / 3, 1 / 3), "", True, 1 / 3, False),
    ((0.49, 0.51, 0.0), "", True, 0.51, False),  # however many points the win would be by
]


@pytest.mark.parametrize(("probs", "winner", "tie", "confidence", "drawn"), EDGES)
def test_the_confidence_is_the_largest_probability(
    probs: tuple[float, float, float], winner: str, tie: bool, confidence: float, drawn: bool
) -> None:
    found = settle_pair(request(), [result("straight", reading(*probs))])
    assert (found.winner, found.tie) == (winner, tie)
    assert found.confidence == pytest.approx(confidence)
    assert is_draw(*probs) is drawn
    assert is_draw(*probs[::-1]) is drawn


def test_a_winner_may_have_the_lower_expected_score() -> None:
    """statistics.md 2.14: P(10, 9) = .66, P(1, 10) = .34. The first is more often better, and by less."""
    one = Reading(means=(6.94, 9.34), greedy=(10.0, 9.0), win=0.66, tie=0.0, lose=0.34)
    found = settle_pair(request(), [result("straight", one)])
    assert found.winner == "a" and found.confidence == pytest.approx(0.66)
    assert [score.score for score in found.scores] == [6.94, 9.34]


def test_position_bias_lowers_the_confidence_but_keeps_the_winner() -> None:
    """Log-odds of the first candidate 1, position bias 3 nats: sigmoid(4) = .982 and sigmoid(-2) = .119."""
    straight, swapped = reading(0.982, 0.0, 0.018), reading(0.119, 0.0, 0.881)
    found = settle_pair(request(), [result("straight", straight), result("swapped", swapped)])
    assert (found.winner, found.flipped) == ("a", True)
    assert found.confidence == pytest.approx((0.982 + 0.119) / 2)  # .55; without the bias .73


def random_reading(draw: random.Random) -> Reading:
    cut = sorted((draw.random(), draw.random()))
    return Reading(
        means=(draw.uniform(1, 10), draw.uniform(1, 10)),
        greedy=(5.0, 5.0),
        win=cut[0],
        tie=cut[1] - cut[0],
        lose=1 - cut[1],
    )


@pytest.mark.parametrize("references", [(False,), (True,), (True, False)], ids=str)
@pytest.mark.parametrize("seed", range(50))
def test_swapping_the_candidates_mirrors_the_verdict_exactly(
    seed: int, references: tuple[bool, ...]
) -> None:
    """The same judge answers the same prompts; only the request names its candidates the other way."""
    draw = random.Random(seed)
    judge: dict[tuple[str, str, bool], Reading] = {}

    def settle(first: str, second: str) -> tuple[object, ...]:
        asked = request(answers=(first, second))
        passes = []
        for with_reference in references:
            for order in (STRAIGHT.order, SWAPPED.order):
                transform = Transform(order=order, with_reference=with_reference)
                shown = transform.apply((first, second))
                key = (shown[0], shown[1], with_reference)
                if key not in judge:
                    judge[key] = random_reading(draw)
                passes.append(
                    PassResult(
                        transform=transform,
                        reading=restored(judge[key], transform),
                        reply=Reply(text=""),
                    )
                )
        found = settle_pair(asked, passes)
        texts = {c.id: c.text for c in asked.candidates} | {"": ""}
        scores = tuple(sorted((texts[s.candidate_id], s.score) for s in found.scores))
        probs = {first: found.p_win, second: found.p_lose}
        return (
            texts[found.winner],
            found.tie,
            found.p_tie,
            probs["x"],
            probs["y"],
            found.confidence,
            found.flipped,
            scores,
        )

    assert settle("x", "y") == settle("y", "x")


@pytest.mark.parametrize(
    ("passes", "reason"),
    [
        ((result("straight", UNREAD), result("swapped", FIRST)), "unparsable: straight"),
        ((result("straight", FIRST), result("swapped", UNREAD)), "unparsable: swapped"),
        (
            (
                result("straight", FIRST),
                result("swapped", Unreadable(reason=Unread.OUTSIDE_GRAMMAR)),
            ),
            "outside_grammar: swapped",
        ),
    ],
)
def test_one_unreadable_pass_leaves_the_request_unscored_with_its_name(
    passes: tuple[PassResult, ...], reason: str
) -> None:
    found = settle_pair(request(), passes)
    assert (found.status, found.reason) == (Status.UNSCORED, reason)
    assert (found.winner, found.tie, found.flipped, found.confidence) == ("", False, None, None)
    assert (found.p_win, found.p_tie, found.p_lose) == (None, None, None)
    assert [score.score for score in found.scores] == [None, None]  # never a zero


def test_a_single_order_has_no_flip_mark() -> None:
    found = settle_pair(request(), [result("straight", FIRST)])
    assert (found.winner, found.flipped) == ("a", None)


def test_a_flip_in_any_pair_of_reversed_passes_is_a_flip() -> None:
    steady = [result("straight+reference", FIRST), result("swapped+reference", FIRST)]
    flips = [result("straight", FIRST), result("swapped", EQUAL)]
    assert settle_pair(request(), steady).flipped is False
    assert settle_pair(request(), [*steady, *flips]).flipped is True
    # with and without reference differ, but each twin agrees with itself
    other = [result("straight", SECOND), result("swapped", SECOND)]
    assert settle_pair(request(), [*steady, *other]).flipped is False


def test_a_single_answer_has_a_score_and_no_winner() -> None:
    asked = request(mode="single", answers=("one",), reference="r")
    one = result("straight+reference", Reading(means=(7.25,), greedy=(7.0,)))
    found = settle_single(asked, [one])
    assert (found.status, found.winner, found.tie) == (Status.SCORED, "", False)
    assert (found.p_win, found.confidence, found.flipped) == (None, None, None)
    assert [score.score for score in found.scores] == [7.25]
    assert settle_single(asked, [result("straight+reference", UNREAD)]).status is Status.UNSCORED


def test_settling_without_a_pass_is_an_error() -> None:
    with pytest.raises(ValueError, match="'r1' has no pass"):
        settle_pair(request(), [])


def test_choices_settle_without_scores_and_swap_like_all_others() -> None:
    straight = Reading(means=(), greedy=(), win=0.7, tie=0.2, lose=0.1)
    shown = Reading(means=(), greedy=(), win=0.3, tie=0.1, lose=0.6)  # for the one shown first
    second = restored(shown, SWAPPED)
    assert second == Reading(means=(), greedy=(), win=0.6, tie=0.1, lose=0.3)
    assert isinstance(second, Reading)
    found = settle_pair(request(), [result("straight", straight), result("swapped", second)])
    assert (found.winner, found.flipped) == ("a", False)
    assert found.p_win == pytest.approx(0.65)
    assert [score.score for score in found.scores] == [None, None]
