"""Formatting instructions: one simple rule, followed or broken."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
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
from judgestream_trainer.tasks.sentences import listed, sentence
from judgestream_trainer.tasks.words import NOUNS


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """A formatting rule.

    ask     the instruction, with `{n}` for the noun and `{d}` for the detail
    write   (rng, noun, detail, keep) -> the spans of an answer that follows (`keep`) or breaks the rule
    detail  draws the word or number that the instruction names
    """

    name: str
    ask: str
    write: Callable[[Random, str, str, bool], Sequence[Span]]
    detail: Callable[[Random], str] = lambda rng: ""


def _capitals(rng: Random, noun: str, detail: str, keep: bool) -> Sequence[Span]:
    text = sentence(rng, noun)
    return [right(text.upper()) if keep else wrong(text)]


def _ending(mark: str) -> Callable[[Random, str, str, bool], Sequence[Span]]:
    def write(rng: Random, noun: str, detail: str, keep: bool) -> Sequence[Span]:
        other = rng.choice([m for m in "?!." if m != mark])
        return [right(sentence(rng, noun)[:-1]), right(mark) if keep else wrong(other)]

    return write


def _one_word(rng: Random, noun: str, detail: str, keep: bool) -> Sequence[Span]:
    word = rng.choice(NOUNS)
    return [right(word)] if keep else [right(word), wrong(f" and {rng.choice(NOUNS)}")]


def _brackets(rng: Random, noun: str, detail: str, keep: bool) -> Sequence[Span]:
    text = sentence(rng, noun)
    return [right(f"({text})")] if keep else [wrong(text)]


def _count(rng: Random, noun: str, detail: str, keep: bool) -> Sequence[Span]:
    wanted = int(detail)
    if keep:
        return [right(listed(rng.sample(NOUNS, wanted)))]
    given = rng.choice([n for n in (1, 2, 3, 4, 5) if n != wanted])
    return [wrong(listed(rng.sample(NOUNS, given)))]


RULES = (
    Rule(name="capitals", ask="Write about a {n} in capital letters.", write=_capitals),
    Rule(
        name="exclamation",
        ask="Write about a {n}. End with an exclamation mark.",
        write=_ending("!"),
    ),
    Rule(name="question", ask="Write about a {n}. End with a question mark.", write=_ending("?")),
    Rule(name="one word", ask="What goes with a {n}? Answer in one word.", write=_one_word),
    Rule(name="brackets", ask="Write about a {n}. Put it all in brackets.", write=_brackets),
    Rule(
        name="how many",
        ask="Name {d} things that go with a {n}.",
        write=_count,
        detail=lambda rng: rng.choice("234"),
    ),
)


def _make(rng: Random) -> Item:
    rule, noun = rng.choice(RULES), rng.choice(NOUNS)
    detail = rule.detail(rng)
    levels = two_levels(rng, (0, 1))
    answers = tuple(_answer(rng, rule, noun, detail, level == 1) for level in levels)
    question = rule.ask.format(n=noun, d=detail)
    return Item(
        family="formats",
        group=rule.name,
        question=question,
        answers=(answers[0], answers[1]),
        reference=_answer(rng, rule, noun, detail, True).text,
        explanation=explain(*answers),
        key=question,
    )


def _answer(rng: Random, rule: Rule, noun: str, detail: str, keep: bool) -> Answer:
    return Answer(
        spans=tuple(rule.write(rng, noun, detail, keep)),
        score=9 if keep else 3,
        note="keeps the form" if keep else "breaks the form",
    )


FORMATS = Family(
    name="formats",
    make=_make,
    judges="checks a simple formatting rule (capitals, brackets, final punctuation, number of items)",
)
