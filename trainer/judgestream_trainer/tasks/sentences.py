"""Plain grammatical sentences about given nouns."""

from collections.abc import Sequence
from random import Random

from judgestream_trainer.tasks.words import ADJECTIVES, ADVERBS, NOUNS, PLACES, SYLLABLES, VERBS

_PATTERNS = (
    "The {a} {n} {v} the {m}.",
    "The {n} {d} {v} the {a} {m}.",
    "A {a} {n} {v} a {m} {p}.",
    "The {n} {v} the {m} {p}.",
    "We saw the {a} {n} {p}.",
    "There is a {a} {n} {p}.",
    "The {n} is {a} and {b}.",
    "My {n} {v} every {m} {d}.",
)


def sentence(rng: Random, noun: str | None = None) -> str:
    """One sentence, about `noun` if given."""
    first, second = rng.sample(ADJECTIVES, 2)
    return rng.choice(_PATTERNS).format(
        n=noun or rng.choice(NOUNS),
        m=rng.choice(NOUNS),
        a=first,
        b=second,
        v=rng.choice(VERBS),
        d=rng.choice(ADVERBS),
        p=rng.choice(PLACES),
    )


def listed(words: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def invented(rng: Random) -> str:
    """An invented word of two or three syllables, capitalised, such as `Telmoran`."""
    return "".join(rng.choice(SYLLABLES) for _ in range(rng.choice((2, 2, 3)))).capitalize()
