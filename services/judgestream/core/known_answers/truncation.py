"""An answer that stops in the middle."""

import random
import re

from judgestream.core.known_answers.base import Effect, KnownAnswer, Pairing

LEAST_WORDS = 24
"""Words of an answer whose first half is surely worse."""
_SPACE = re.compile(r"\s+")


def truncated(answer: str, draw: random.Random, _: str) -> str | None:
    """The first 30 to 60 % of the answer's words, not ending with a sentence."""
    ends = [match.start() for match in _SPACE.finditer(answer.strip())]
    if len(ends) + 1 < LEAST_WORDS:
        return None
    text = answer.strip()
    low, high = 3 * len(ends) // 10, 6 * len(ends) // 10
    open_ends = [end for end in ends[low:high] if text[end - 1] not in ".!?:;"]
    return text[: draw.choice(open_ends)] if open_ends else None


def broken_off(answer: str, changed: str) -> bool:
    """A beginning of the answer, at most 65 % of its words, without a sentence's end."""
    whole, kept = answer.split(), changed.split()
    return (
        0 < len(kept) <= 0.65 * len(whole)
        and whole[: len(kept)] == kept
        and changed[-1] not in ".!?:;"
    )


TRUNCATED = KnownAnswer(
    name="truncated",
    meaning="the answer broken off in the middle",
    effect=Effect.RELATED,
    pairing=Pairing.ITSELF,
    rewrite=truncated,
    holds=broken_off,
)
