"""Sums and differences of numbers below 50."""

from random import Random

from judgestream_trainer.tasks.base import (
    Answer,
    Family,
    Item,
    Span,
    explain,
    right,
    two_levels,
    wrong,
)
from judgestream_trainer.tasks.style import dress


def _make(rng: Random) -> Item:
    if rng.random() < 0.5:
        first, second = rng.randint(2, 12), rng.randint(2, 12)
    else:
        first, second = rng.randint(2, 49), rng.randint(2, 49)
    sign = rng.choice("+-") if first > second else "+"
    task = f"{first} {sign} {second}"
    result = first + second if sign == "+" else first - second
    answers = tuple(_answer(rng, task, result, level == 1) for level in two_levels(rng, (0, 1)))
    return Item(
        family="arithmetic",
        question=f"What is {task}?",
        answers=(answers[0], answers[1]),
        reference=f"{task} = {result}.",
        explanation=explain(*answers),
        key=task,
    )


def _answer(rng: Random, task: str, result: int, correct: bool) -> Answer:
    given = result
    while not correct and given == result:
        given = abs(result + rng.choice((-10, -2, -1, 1, 2, 10, rng.randint(-30, 30))))
    form = rng.choice(("{}.", "It is {}.", f"{task} = {{}}.", "The answer is {}."))
    before, after = form.split("{}")
    spans = [right(before), *_digits(str(given), str(result)), right(after)]
    return Answer(
        spans=dress(rng, [span for span in spans if span.text]),
        score=9 if correct else 2,
        note="is right" if correct else "is wrong",
    )


def _digits(given: str, result: str) -> list[Span]:
    """One span per digit: wrong where it differs, or everywhere if the lengths differ."""
    if len(given) != len(result):
        return [wrong(digit) for digit in given]
    return [right(a) if a == b else wrong(a) for a, b in zip(given, result, strict=True)]


ARITHMETIC = Family(
    name="arithmetic", make=_make, judges="compares the result of a sum with that of the reference"
)
