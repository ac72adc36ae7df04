"""Write a sentence with these three words: the score counts the words that occur."""

from random import Random

from trainer.tasks.base import Answer, Family, Item, Span, explain, right, two_levels, wrong
from trainer.tasks.sentences import listed
from trainer.tasks.style import dress
from trainer.tasks.words import ADJECTIVES, NOUNS, PLACES, VERBS

_QUESTIONS = (
    "Write a sentence with the words {words}.",
    "Use these words in a sentence: {words}.",
    "Make a sentence that mentions {words}.",
)
_PATTERNS = (
    "The {0} {v} the {1} and the {2}.",
    "The {a} {0} {v} the {1} near the {2}.",
    "A {0} and a {1} are {p}, with a {2}.",
    "Behind the {0} there is a {a} {1} and a {2}.",
    "My {0} {v} the {a} {1}, but not the {2}.",
)
_SCORES = (1, 4, 6, 9)


def _make(rng: Random) -> Item:
    words = rng.sample(NOUNS, 3)
    levels = two_levels(rng, (0, 1, 2, 3, 3))
    answers = tuple(_answer(rng, words, level) for level in levels)
    return Item(
        family="coverage",
        question=rng.choice(_QUESTIONS).format(words=listed(words)),
        answers=(answers[0], answers[1]),
        reference=_answer(rng, words, 3, plain=True).text,
        explanation=explain(*answers),
        key=" ".join(sorted(words)),
    )


def _answer(rng: Random, words: list[str], level: int, *, plain: bool = False) -> Answer:
    used = rng.sample(words, level)
    others = rng.sample([noun for noun in NOUNS if noun not in words], 3 - level)
    slots = [right(word) for word in used] + [wrong(word) for word in others]
    rng.shuffle(slots)
    pattern = rng.choice(_PATTERNS)
    filled = pattern.format(
        "\x00", "\x00", "\x00", v=rng.choice(VERBS), a=rng.choice(ADJECTIVES), p=rng.choice(PLACES)
    )
    pieces = filled.split("\x00")
    spans: list[Span] = []
    for piece, slot in zip(pieces, slots, strict=False):
        spans += [right(piece), slot]
    spans.append(right(pieces[-1]))
    return Answer(
        spans=tuple(spans) if plain else dress(rng, spans),
        score=_SCORES[level],
        note=f"uses {level} of 3 words",
    )


COVERAGE = Family(
    name="coverage", make=_make, judges="counts how many of three wanted words a sentence uses"
)
