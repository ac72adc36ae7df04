"""Which side of the split a question falls on, decided by the question alone."""

import hashlib
import re
import unicodedata
from collections.abc import Mapping

_NOT_WORDS = re.compile(r"[\W_]+")
_STEPS = 1 << 32


def normalised(question: str) -> str:
    """The question without what makes no other question of it: case, white space, punctuation, width.

    One of punctuation alone keeps it: it would otherwise equal every other such question.
    """
    folded = unicodedata.normalize("NFKC", question).casefold()
    return _NOT_WORDS.sub(" ", folded).strip() or " ".join(folded.split())


def side_of(question: str, shares: Mapping[str, float]) -> str:
    """The side by name, each with about its share of all questions; shares sum to at most 1, the first side
    takes the rest.

    A digest decides, so a question stands on the same side in every build, whatever else is in it: what was
    held out once is never trained on later.
    """
    digest = hashlib.sha256(f"split\x1f{normalised(question)}".encode()).digest()
    at = int.from_bytes(digest[:4], "big") / _STEPS
    first, *others = shares
    for side in others:
        if at < shares[side]:
            return side
        at -= shares[side]
    return first
