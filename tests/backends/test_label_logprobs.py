"""Joint distributions from the alternatives of generated tokens, however a model splits numbers."""

from dataclasses import replace

import pytest

from judgestream.backends.label_logprobs import Step, certain, joint, others
from judgestream.core.templates import CHAT

PAIR = CHAT.forms["pair"].grammar
SINGLE = CHAT.forms["single"].grammar


def steps(*tokens: tuple[str, dict[str, float]]) -> list[Step]:
    return [Step(token=token, alternatives=others) for token, others in tokens]


def cell(probs: tuple[float, ...], first: int, second: int) -> float:
    return probs[(first - 1) * 10 + second - 1]


@pytest.mark.parametrize(
    "tokens",
    [
        steps(("8", {"8": 0.75, "9": 0.25}), (" ", {" ": 1}), ("7", {"7": 0.5, "6": 0.5})),
        steps(("8", {"8": 0.75, "9": 0.25}), (" 7", {" 7": 0.5, " 6": 0.5}), ("\n", {"\n": 1})),
        steps((" 8", {" 8": 0.75, "9": 0.25}), (" 7", {" 7": 0.3, "7": 0.2, " 6": 0.5})),
    ],
    ids=["space apart", "space with the number", "mixed"],
)
def test_the_product_of_both_positions(tokens: list[Step]) -> None:
    probs = joint(tokens, PAIR)
    assert cell(probs, 8, 7) == pytest.approx(0.375)
    assert cell(probs, 9, 6) == pytest.approx(0.125)
    assert sum(probs) == pytest.approx(1.0)


def test_ten_may_be_split_into_digits() -> None:
    tokens = steps(
        ("1", {"1": 0.9, "9": 0.1}),
        ("0", {"0": 0.8, " ": 0.2}),
        (" ", {" ": 1.0}),
        ("3", {"3": 1.0}),
    )
    probs = joint(tokens, PAIR)
    assert cell(probs, 10, 3) == pytest.approx(0.72)
    assert cell(probs, 1, 3) == pytest.approx(0.18)
    assert cell(probs, 9, 3) == pytest.approx(0.1)


def test_one_is_one_where_no_zero_follows() -> None:
    tokens = steps(("1", {"1": 1.0}), (" ", {" ": 0.9, "0": 0.1}), ("5", {"5": 1.0}))
    probs = joint(tokens, PAIR)
    assert cell(probs, 1, 5) == pytest.approx(0.9)
    assert cell(probs, 10, 5) == pytest.approx(0.1)


def test_tokens_that_are_not_labels_are_outside_the_grammar() -> None:
    probs = joint(steps(("8", {"8": 0.6, "Answer": 0.4})), SINGLE)
    assert sum(probs) == pytest.approx(0.6)


@pytest.mark.parametrize(
    "tokens",
    [
        [],
        steps(("Both", {"Both": 1.0})),
        steps(("8", {"8": 1.0})),
        steps(("8", {"8": 1.0}), ("\n", {"\n": 1.0}), ("7", {"7": 1.0})),
    ],
    ids=["nothing", "prose", "one score only", "second score on another line"],
)
def test_a_line_that_is_not_a_score_line_is_all_outside(tokens: list[Step]) -> None:
    assert sum(joint(tokens, PAIR)) == 0 and len(joint(tokens, PAIR)) == 100


def test_the_second_score_behind_another_first_one_is_read_there() -> None:
    """A judge that is sure of a tie and not of its height: the product would call half of it no tie."""
    written = steps(("9", {"9": 0.6, "2": 0.4}), (" ", {" ": 1.0}), ("9", {"9": 1.0}))
    assert others(written, "9 9", PAIR) == ["2"]
    probs = joint(written, PAIR, {"2": steps((" ", {" ": 1.0}), ("2", {"2": 0.75, "3": 0.25}))})
    assert cell(probs, 9, 9) == pytest.approx(0.6)
    assert (cell(probs, 2, 2), cell(probs, 2, 3)) == pytest.approx((0.3, 0.1))
    assert cell(probs, 2, 9) == 0 and sum(probs) == pytest.approx(1.0)
    assert cell(joint(written, PAIR), 2, 9) == pytest.approx(0.4)


def test_the_token_behind_one_shows_the_share_of_ten() -> None:
    written = steps(("9", {"9": 0.5, "1": 0.5}), (" ", {" ": 1.0}), ("2", {"2": 1.0}))
    probs = joint(written, PAIR, {"1": steps((" ", {" ": 0.2, "0": 0.8}), ("5", {"5": 1.0}))})
    assert cell(probs, 1, 5) == pytest.approx(0.1)
    assert cell(probs, 10, 2) == pytest.approx(0.4)


def test_an_unreadable_continuation_behind_another_score_changes_nothing() -> None:
    written = steps(("9", {"9": 0.6, "2": 0.4}), (" ", {" ": 1.0}), ("9", {"9": 1.0}))
    assert joint(written, PAIR, {"2": steps(("\n", {"\n": 1.0}))}) == joint(written, PAIR)


def test_nothing_is_continued_behind_unlikely_or_single_scores() -> None:
    sure = steps(("9", {"9": 0.99, "2": 0.01}), (" ", {" ": 1.0}), ("9", {"9": 1.0}))
    assert others(sure, "9 9", PAIR) == []
    assert others(steps(("9", {"9": 0.5, "2": 0.5})), "9", SINGLE) == []
    wide = {str(score): 0.2 for score in range(5, 10)}
    line = steps(("7", wide), (" ", {" ": 1.0}), ("7", {"7": 1.0}))
    assert others(line, "7 7", PAIR) == ["5", "6", "8"]


def test_three_scores_have_a_distribution_each() -> None:
    three = replace(PAIR, count=3)
    line = steps(*(("8", {"8": 0.8, "9": 0.1}), (" ", {" ": 1.0})) * 2, ("7", {"7": 1.0}))
    probs = joint(line, three)
    assert len(probs) == three.cells == 30
    assert [sum(probs[k : k + 10]) for k in (0, 10, 20)] == pytest.approx([0.81] * 3)
    assert probs[7] == pytest.approx(0.81 * 8 / 9) and probs[26] == pytest.approx(0.81)
    assert sum(certain("8 7 6", three)) == 3 and sum(certain("none", three)) == 0
    assert len(certain("none", three)) == 30


def test_without_log_probabilities_all_mass_is_on_the_text() -> None:
    assert cell(certain("8 7\nbecause", PAIR), 8, 7) == 1.0
    assert sum(certain("8.5 7", PAIR)) == 0  # no label of the grammar
    assert sum(certain("none of that", PAIR)) == 0
