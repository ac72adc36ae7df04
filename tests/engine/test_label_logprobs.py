"""Alternatives of written tokens -> a joint distribution, whatever way a model cuts its numbers."""

import pytest

from judgestream.core.templates import CHAT
from judgestream.engine.label_logprobs import Step, certain, joint

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


def test_ten_may_come_digit_by_digit() -> None:
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


def test_what_is_no_label_is_outside() -> None:
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
def test_a_line_that_is_none_is_all_outside(tokens: list[Step]) -> None:
    assert sum(joint(tokens, PAIR)) == 0 and len(joint(tokens, PAIR)) == 100


def test_text_alone_is_certain_of_itself() -> None:
    assert cell(certain("8 7\nbecause", PAIR), 8, 7) == 1.0
    assert sum(certain("8.5 7", PAIR)) == 0  # no label of the grammar
    assert sum(certain("none of that", PAIR)) == 0
