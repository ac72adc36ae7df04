"""Readings of replies: JudgeLM's own parser, score distributions, choices."""

from math import inf, isnan, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from judgestream.core.parsing import (
    MAX_OUTSIDE,
    UNPARSED,
    parse_labels,
    parse_strict,
    parse_tolerant,
    read,
)
from judgestream.core.templates.base import Grammar
from judgestream.core.types import Reading, Reply, Unread, Unreadable

PAIR = Grammar(labels=("1", "2", "3"), count=2)
ONE = Grammar(labels=("1", "2", "3"), count=1, lead=" ")


def read_pair(*, text: str = "", probs: tuple[float, ...] = (), finish: str = "stop") -> Reading:
    found = read(Reply(text=text, score_probs=probs, finish_reason=finish), PAIR)
    assert isinstance(found, Reading), found
    return found


def reason(reply: Reply, grammar: Grammar = PAIR) -> Unread:
    found = read(reply, grammar)
    assert isinstance(found, Unreadable), found
    return found.reason


# The examples of JudgeLM's own parser (baaivision/JudgeLM), then cases that follow from its rule.
STRICT = [
    ("7 8", (7.0, 8.0)),
    ("7.5 8", (7.5, 8.0)),
    ("7,8", (7.0, 8.0)),
    ("7, 8", UNPARSED),
    ("7  8", UNPARSED),
    ("7 8 ", UNPARSED),
    ("7/10 8/10", UNPARSED),
    ("8", UNPARSED),
    ("8 7 6", UNPARSED),
    ("7 8\nAssistant 1 is vaguer. 9 9", (7.0, 8.0)),  # first line only
    ("\n7 8", UNPARSED),
    (" 7 8", UNPARSED),
    ("", UNPARSED),
    ("7 eight", UNPARSED),
    ("70 -8", (70.0, -8.0)),  # no range check
]


@pytest.mark.parametrize(("text", "scores"), STRICT)
def test_strict_is_judgelms_own_parser(text: str, scores: tuple[float, float]) -> None:
    assert parse_strict(text) == scores


def test_strict_accepts_nan_which_then_compares_as_a_tie() -> None:
    first, second = parse_strict("nan 3")
    assert isnan(first)
    assert (first - second > 0, second - first > 0) == (False, False)


# fmt: off
JOINT = (
    # second  1     2     3
            0.05, 0.02, 0.03,  # first 1
            0.20, 0.10, 0.10,  # first 2
            0.30, 0.15, 0.05,  # first 3
)
# fmt: on


def test_a_joint_distribution_worked_by_hand() -> None:
    # win  = below the diagonal: 0.20 + 0.30 + 0.15 = 0.65
    # tie  = the diagonal:       0.05 + 0.10 + 0.05 = 0.20
    # lose = above:              0.02 + 0.03 + 0.10 = 0.15
    # mean of the first:  1 * 0.10 + 2 * 0.40 + 3 * 0.50 = 2.40
    # mean of the second: 1 * 0.55 + 2 * 0.27 + 3 * 0.18 = 1.63
    # the greatest cell is 0.30, first 3 and second 1
    found = read_pair(probs=JOINT)
    assert (found.win, found.tie, found.lose) == pytest.approx((0.65, 0.20, 0.15))
    assert found.means == pytest.approx((2.40, 1.63))
    assert found.greedy == (3.0, 1.0)
    assert found.outside == pytest.approx(0.0, abs=1e-12)


def test_mass_outside_the_grammar_is_reported_and_excluded_from_the_shares() -> None:
    # everything times 0.96: 4 % is outside, and the shares and means are those of what is inside
    found = read_pair(probs=tuple(0.96 * p for p in JOINT))
    assert found.outside == pytest.approx(0.04)
    assert (found.win, found.tie, found.lose) == pytest.approx((0.65, 0.20, 0.15))
    assert found.means == pytest.approx((2.40, 1.63))


def test_the_judges_own_score_line_is_the_greedy_field() -> None:
    assert read_pair(text="2 1\nFine.", probs=JOINT).greedy == (2.0, 1.0)
    assert read_pair(text="I cannot say", probs=JOINT).greedy == (3.0, 1.0)


def test_a_transposed_distribution_gives_exactly_the_mirrored_reading() -> None:
    # 0.1, 0.2, 0.3 do not add up alike in every order: only exact sums keep the draw a draw
    probs = (0.02, 0.1, 0.2, 0.1, 0.04, 0.14, 0.2, 0.13, 0.07)
    transposed = tuple(probs[3 * (k % 3) + k // 3] for k in range(9))
    one, other = read_pair(probs=probs), read_pair(probs=transposed)
    assert (one.win, one.tie, one.lose) == (other.lose, other.tie, other.win)
    assert one.means == other.means[::-1]


def test_a_symmetric_distribution_is_an_exact_draw() -> None:
    found = read_pair(probs=(0.02, 0.1, 0.2, 0.1, 0.04, 0.17, 0.2, 0.17, 0.0))
    assert found.win == found.lose


def test_one_score_worked_by_hand() -> None:
    # 1 * 0.2 + 2 * 0.5 + 3 * 0.3 = 2.1, most probable 2
    found = read(Reply(text="", score_probs=(0.2, 0.5, 0.3)), ONE)
    assert isinstance(found, Reading)
    assert found.means == pytest.approx((2.1,))
    assert found.greedy == (2.0,)
    assert (found.win, found.tie, found.lose) == (None, None, None)


def scaled(total: float) -> tuple[float, ...]:
    return tuple(total * p for p in JOINT)


# What a joint sums to, and whether it can be read. 0.95 is exactly 5 % outside, which is not more than 5 %.
EDGES = [
    (0.97, True),
    (0.9501, True),
    (0.95, True),
    (0.9499, False),
    (0.94, False),
    (1.05, True),  # single precision may sum to above one; more than that is not a distribution
    (1.0501, False),
]


@pytest.mark.parametrize(("total", "readable"), EDGES)
@pytest.mark.parametrize("cells", [1, 3, 9])
def test_exactly_five_percent_outside_is_allowed_however_floats_add_up(
    total: float, readable: bool, cells: int
) -> None:
    probs = tuple(total / cells for _ in range(cells)) + (0.0,) * (9 - cells)
    for spread in (probs, tuple(float(np.float32(p)) for p in probs)):
        found = read(Reply(text="3 1", score_probs=spread), PAIR)
        assert isinstance(found, Reading) is readable, found


def test_up_to_five_percent_outside_is_readable() -> None:
    assert MAX_OUTSIDE == 0.05
    assert isinstance(read(Reply(text="3 1", score_probs=scaled(0.951)), PAIR), Reading)
    assert isinstance(read(Reply(text="3 1", score_probs=scaled(1.000001)), PAIR), Reading)


@pytest.mark.parametrize(
    "probs",
    [
        scaled(0.949),
        scaled(0.0),
        scaled(1.06),  # no distribution at all
        (nan, *JOINT[1:]),
        (*JOINT[:8], nan),
        (inf, *JOINT[1:]),
        (inf, -inf, *JOINT[2:]),
        (-0.1, 0.17, *JOINT[2:]),  # sums to one, but not of probabilities
    ],
)
def test_anything_else_is_outside_the_grammar_whatever_the_text_says(
    probs: tuple[float, ...],
) -> None:
    assert reason(Reply(text="3 1", score_probs=probs)) is Unread.OUTSIDE_GRAMMAR


def test_a_distribution_of_the_wrong_size_is_unparsable() -> None:
    assert reason(Reply(text="3 1", score_probs=(0.5, 0.5))) is Unread.UNPARSABLE
    assert reason(Reply(text="3", score_probs=JOINT), ONE) is Unread.UNPARSABLE


@pytest.mark.parametrize(
    ("text", "win", "tie", "lose"), [("8 7", 1, 0, 0), ("7 7", 0, 1, 0), ("7 8\nno", 0, 0, 1)]
)
def test_without_a_distribution_the_outcome_has_probability_one(
    text: str, win: int, tie: int, lose: int
) -> None:
    found = read_pair(text=text)
    assert (found.win, found.tie, found.lose) == (win, tie, lose)
    assert found.means == found.greedy


@pytest.mark.parametrize("text", ["7", "7 1", "", "\n7 1", " \n"])
def test_a_score_line_cut_for_length_may_lack_a_digit(text: str) -> None:
    assert reason(Reply(text=text, finish_reason="length")) is Unread.TRUNCATED


def test_an_explanation_cut_for_length_leaves_the_scores_complete() -> None:
    assert read_pair(text="7 8\nAssistant 1 is", finish="length").greedy == (7.0, 8.0)


def test_a_text_without_scores_is_unparsable_and_its_start_is_kept() -> None:
    found = read(Reply(text="I cannot compare them. " * 20), PAIR)
    assert isinstance(found, Unreadable)
    assert found.reason is Unread.UNPARSABLE
    assert found.detail.startswith("I cannot compare them.")
    assert len(found.detail) <= 80


CHOICE = Grammar(labels=("A", "B", "C"), count=1, outcomes=(1, -1, 0))
APPROVAL = Grammar(labels=("yes", "no"), count=1, scores=(10.0, 1.0))


def test_a_choice_gives_outcomes_and_no_scores() -> None:
    # 0.582 + 0.194 + 0.194 = 0.97 inside: 0.6, 0.2 and 0.2 of it
    found = read(Reply(text="A", score_probs=(0.582, 0.194, 0.194)), CHOICE)
    assert isinstance(found, Reading)
    assert (found.means, found.greedy) == ((), ())
    assert (found.win, found.lose, found.tie) == pytest.approx((0.6, 0.2, 0.2))
    assert found.outside == pytest.approx(0.03)
    assert isinstance(
        read(Reply(text="A", score_probs=(0.5, 0.2, 0.2)), CHOICE), Unreadable
    )  # a tenth is outside


@pytest.mark.parametrize(
    ("text", "win", "tie", "lose"),
    [("A\nbecause", 1, 0, 0), ("[[B]]", 0, 0, 1), ("**c**", 0, 1, 0)],
)
def test_a_written_choice_has_probability_one(text: str, win: int, tie: int, lose: int) -> None:
    found = read(Reply(text=text), CHOICE)
    assert isinstance(found, Reading)
    assert (found.win, found.tie, found.lose) == (win, tie, lose)


@pytest.mark.parametrize("text", ["D", "A B", "A is better", "", "Answer"])
def test_any_other_text_than_one_letter_is_not_a_choice(text: str) -> None:
    assert isinstance(read(Reply(text=text), CHOICE), Unreadable)


def test_word_labels_have_scores() -> None:
    found = read(Reply(text="yes", score_probs=(0.75, 0.25)), APPROVAL)
    assert isinstance(found, Reading)
    assert found.means == pytest.approx((0.75 * 10 + 0.25,))
    assert found.greedy == (10.0,)
    written = read(Reply(text="No."), APPROVAL)
    assert isinstance(written, Reading)
    assert written.means == (1.0,)
    both = Grammar(labels=("yes", "no"), count=2, scores=(1.0, 0.0))
    pair = read(Reply(text="yes no"), both)
    assert isinstance(pair, Reading)
    assert (pair.means, pair.win) == ((1.0, 0.0), 1.0)


def test_a_grammar_needs_one_score_or_outcome_per_label() -> None:
    with pytest.raises(ValueError, match="2 outcomes for 3 labels"):
        Grammar(labels=("A", "B", "C"), count=1, outcomes=(1, -1))
    with pytest.raises(ValueError, match="one label long"):
        Grammar(labels=("A", "B"), count=2, outcomes=(1, -1))


def test_three_scores_have_one_distribution_per_position() -> None:
    three = Grammar(labels=("1", "2"), count=3)
    probs = (0.98, 0.0, 0.49, 0.49, 0.245, 0.735)  # each row sums to 0.98
    found = read(Reply(text="1 2 2", score_probs=probs), three)
    assert isinstance(found, Reading)
    # the first is 1; with .5 the second is 2 and with .75 the third: 1 alone with .375 by the third
    assert found.p_best == pytest.approx(
        (0.125 / 3, 0.125 + 0.1875 + 0.125 / 3, 0.5625 + 0.125 / 3)
    )
    assert found.means == pytest.approx((1.0, 1.5, 1.75))
    assert found.greedy == (1.0, 2.0, 2.0)
    assert (found.win, found.tie, found.lose) == (None, None, None)
    assert found.outside == pytest.approx(0.02)
    assert isinstance(read(Reply(text="", score_probs=probs * 2), three), Unreadable)


weights = st.lists(st.floats(0, 1), min_size=9, max_size=9).filter(lambda row: sum(row) > 0.1)


def normalised(row: list[float]) -> tuple[float, ...]:
    return tuple(weight / sum(row) for weight in row)


@given(weights)
def test_any_joint_distribution_is_read_and_its_transpose_mirrors_it(row: list[float]) -> None:
    probs = normalised(row)
    transposed = tuple(probs[3 * column + line] for line in range(3) for column in range(3))
    straight, mirrored = read_pair(probs=probs), read_pair(probs=transposed)
    assert (straight.win, straight.tie, straight.lose) == (
        mirrored.lose,
        mirrored.tie,
        mirrored.win,
    )
    assert straight.means == mirrored.means[::-1]
    assert all(1 <= mean <= 3.0000001 for mean in straight.means)
    assert straight.win is not None and straight.tie is not None and straight.lose is not None
    assert straight.win + straight.tie + straight.lose == pytest.approx(1)


def test_a_pair_grammar_of_one_label_is_always_a_tie() -> None:
    found = read(Reply(text="5 5", score_probs=(1.0,)), Grammar(labels=("5",), count=2))
    assert isinstance(found, Reading)
    assert (found.win, found.tie, found.lose) == (0.0, 1.0, 0.0)


half_points = st.integers(0, 20).map(lambda value: value / 2)


@given(st.lists(half_points, min_size=1, max_size=6))
def test_written_scores_are_parsed_as_written(scores: list[float]) -> None:
    line = " ".join(f"{score:g}" for score in scores)
    assert parse_tolerant(f"\n{line}\nBecause.", len(scores)) == tuple(scores)
    if len(scores) == 2:
        assert parse_strict(line) == tuple(scores)


@given(st.text(max_size=40))
def test_the_strict_parser_returns_two_numbers_for_any_text(text: str) -> None:
    first, second = parse_strict(text)
    assert isinstance(first, float)
    assert isinstance(second, float)


GRAMMARS = [
    PAIR,
    ONE,
    Grammar(labels=("A", "B", "C"), count=1, outcomes=(1, -1, 0)),
    Grammar(labels=("yes", "no"), count=1, scores=(10.0, 1.0)),
    Grammar(labels=("1", "2"), count=4),
]


@given(
    st.sampled_from(GRAMMARS),
    st.text(max_size=30) | st.sampled_from(["2 1", "1", "A", "[[b]]", "yes.", "1 2 1 2"]),
    st.lists(st.floats(-0.5, 1.5) | st.sampled_from([nan, inf]), max_size=9).map(tuple),
    st.sampled_from(["stop", "length", ""]),
)
def test_any_reply_has_a_reading_or_a_reason(
    grammar: Grammar, text: str, probs: tuple[float, ...], finish: str
) -> None:
    found = read(Reply(text=text, score_probs=probs, finish_reason=finish), grammar)
    if isinstance(found, Unreadable):
        assert found.reason in Unread
        return
    shares = [share for share in (found.win, found.tie, found.lose) if share is not None]
    assert len(shares) in (0, 3)
    assert all(-1e-9 <= share <= 1 + 1e-9 for share in shares)
    assert 0 <= found.outside <= MAX_OUTSIDE + 1e-5
    labels = parse_labels(text, grammar)
    assert labels is None or len(labels) == grammar.count
