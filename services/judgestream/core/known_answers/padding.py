"""A list that says twice what the answer says once: MT-Bench's repetitive list (arXiv 2306.05685)."""

import random

from judgestream.core.known_answers.base import Effect, KnownAnswer, Pairing
from judgestream.core.known_answers.texts import list_items, sentences, without_markup, words

LEAST, MOST = 2, 12
"""Items that are worth repeating, and that still fit."""

LEADS = ("In other words", "That is to say", "To put it differently", "Said again")
_FILLER = frozenset(word for lead in LEADS for word in words(lead))


def padded(answer: str, draw: random.Random, _: str) -> str | None:
    """The answer behind a list that repeats its items, or its sentences where it has no list."""
    found = list_items(answer)
    if len(found) < LEAST:
        found = sentences(answer)
    if not LEAST <= len(found) <= MOST:
        return None
    first = draw.randrange(len(LEADS))
    lines = [
        f"{number}. {LEADS[(first + number) % len(LEADS)]}, {without_markup(item)}"
        for number, item in enumerate(found, start=1)
    ]
    return "\n".join([*lines, "", answer])


def adds_nothing(answer: str, changed: str) -> bool:
    """The answer is still there, and every word in front of it is in it, or fills in."""
    if not changed.endswith(answer) or len(changed) == len(answer):
        return False
    added = words(changed[: len(changed) - len(answer)])
    known = set(words(answer)) | _FILLER
    return all(word in known or (word.isdigit() and int(word) <= MOST) for word in added)


PADDED = KnownAnswer(
    name="padded",
    meaning="the answer behind a list that only repeats it",
    effect=Effect.AGNOSTIC,
    pairing=Pairing.ITSELF,
    rewrite=padded,
    holds=adds_nothing,
)
