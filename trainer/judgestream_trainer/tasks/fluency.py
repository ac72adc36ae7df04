"""Fluency: well-formed sentences against stuttered and shuffled ones."""

from collections.abc import Sequence
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
from judgestream_trainer.tasks.sentences import sentence
from judgestream_trainer.tasks.style import dress
from judgestream_trainer.tasks.words import NOUNS

_QUESTIONS = (
    "Write about a {n}.",
    "Tell me something about a {n}.",
    "Describe a {n}.",
    "What do you know about a {n}?",
)
_SCORES = (2, 6, 9)
_NOTES = ("is garbled", "stutters", "reads well")


def _make(rng: Random) -> Item:
    noun = rng.choice(NOUNS)
    answers = tuple(_answer(rng, noun, level) for level in two_levels(rng, (0, 1, 2)))
    question = rng.choice(_QUESTIONS).format(n=noun)
    texts = "\x1f".join(sorted(answer.text for answer in answers))
    return Item(
        family="fluency",
        question=question,
        answers=(answers[0], answers[1]),
        reference=sentence(rng, noun),
        explanation=explain(*answers),
        key=f"{question}\x1f{texts}",
    )


def _answer(rng: Random, noun: str, level: int) -> Answer:
    count = rng.choice((1, 1, 2))
    words = " ".join(sentence(rng, noun) for _ in range(count)).split()
    spans = (_shuffled(rng, words), _stuttered(rng, words), [right(" ".join(words))])[level]
    return Answer(spans=dress(rng, spans, share=0.2), score=_SCORES[level], note=_NOTES[level])


def _stuttered(rng: Random, words: Sequence[str]) -> Sequence[Span]:
    """One word is repeated, two to four times in all."""
    at = rng.randrange(len(words) - 1)
    before, word, after = words[:at], words[at], words[at + 1 :]
    return [
        right(" ".join([*before, word])),
        wrong(f" {word}" * rng.randint(1, 3)),
        right("".join(f" {w}" for w in after)),
    ]


def _shuffled(rng: Random, words: Sequence[str]) -> Sequence[Span]:
    """All words in another order; those that moved are wrong."""
    order = list(range(len(words)))
    while sum(k != place for k, place in enumerate(order)) < len(words) // 2:
        rng.shuffle(order)
    return [
        Span(text=f" {words[k]}" if place else words[k], wrong=k != place)
        for place, k in enumerate(order)
    ]


FLUENCY = Family(
    name="fluency", make=_make, judges="tells well-formed sentences from stuttered or shuffled ones"
)
