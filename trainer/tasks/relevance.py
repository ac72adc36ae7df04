"""Answers about the asked topic against answers about another one; some of them long."""

import re
from random import Random

from trainer.tasks.base import Answer, Family, Item, Span, explain, right, two_levels
from trainer.tasks.style import dress
from trainer.tasks.words import ADJECTIVES, PLACES, TOPICS

_QUESTIONS = (
    "Tell me about {t}.",
    "Explain {t} to me.",
    "Write a text about {t}.",
    "What is important about {t}?",
)
_PATTERNS = (
    "The {w} and the {x} are {a}.",
    "A {a} {w} is part of it.",
    "People often talk about the {w} or the {x}.",
    "Think of the {w} {p}.",
    "Without a {w} there is no {x}.",
    "Many people want to know more about the {a} {w}.",
    "First look at the {w}, then at the {x}.",
)
_SCORES = (1, 5, 9)
_NOTES = ("is off topic", "leaves the topic", "stays on topic")


def _make(rng: Random) -> Item:
    topic = rng.choice(tuple(TOPICS))
    # a few texts are long: the judge must have seen positions far from the start
    size = rng.randint(8, 40) if rng.random() < 0.06 else rng.randint(1, 3)
    levels = two_levels(rng, (0, 1, 2))
    answers = tuple(_answer(rng, topic, size, level) for level in levels)
    question = rng.choice(_QUESTIONS).format(t=topic)
    texts = "\x1f".join(sorted(answer.text for answer in answers))
    return Item(
        family="relevance",
        question=question,
        answers=(answers[0], answers[1]),
        reference=" ".join(_sentence(rng, topic) for _ in range(rng.choice((1, 2, size)))),
        explanation=explain(*answers),
        key=f"{question}\x1f{texts}",
    )


def _answer(rng: Random, topic: str, size: int, level: int) -> Answer:
    other = rng.choice([name for name in TOPICS if name != topic])
    count = max(2 if level == 1 else 1, round(size * rng.uniform(0.5, 1.5)))
    on_topic = (0, count // 2, count)[level]
    spans: list[Span] = []
    for k in range(count):
        subject = topic if k < on_topic else other
        if k:
            spans.append(right(" "))
        spans += _about(rng, subject, subject == topic)
    return Answer(spans=dress(rng, spans, share=0.2), score=_SCORES[level], note=_NOTES[level])


def _about(rng: Random, topic: str, on_topic: bool = True) -> list[Span]:
    """One sentence; off topic, the topic's own words are what is wrong with it."""
    word, other = rng.sample(TOPICS[topic], 2)
    pattern = rng.choice(_PATTERNS).format(
        w="{w}", x="{x}", a=rng.choice(ADJECTIVES), p=rng.choice(PLACES)
    )
    pieces = re.split(r"(\{[wx]\})", pattern)
    words = {
        "{w}": Span(text=word, wrong=not on_topic),
        "{x}": Span(text=other, wrong=not on_topic),
    }
    return [words.get(piece) or right(piece) for piece in pieces if piece]


def _sentence(rng: Random, topic: str) -> str:
    return "".join(span.text for span in _about(rng, topic))


RELEVANCE = Family(
    name="relevance", make=_make, judges="tells a text on one of twelve topics from a text off it"
)
