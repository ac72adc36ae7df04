"""Train, validation and test sides without prompts that leak, and records that come twice taken out.

The side is a function of the question alone: whatever else a data set holds, and however it grows, a
question that was held out once is held out for ever.
"""

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from judgestream.core.errors import ConfigurationError
from judgestream.core.formats.base import digest
from judgestream_trainer.data.example import Example

_NO_WORD = re.compile(r"[\W_]+")
_EMPTY_WORDS = frozenset("a an the this that please kindly can could would will you me".split())
"""Words that a question can have or lack without being another question."""


class Side(StrEnum):
    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"


@dataclass(frozen=True, kw_only=True, slots=True)
class Shares:
    """The expected shares of the questions that are held out; the rest is trained on.

    salt   another one gives another split
    """

    validation: float = 0.05
    test: float = 0.05
    salt: str = ""

    def __post_init__(self) -> None:
        if min(self.validation, self.test) < 0 or self.validation + self.test >= 1:
            raise ConfigurationError(
                f"shares of {self.validation:g} for validation and {self.test:g} for test leave"
                " nothing to train on: each must be at least 0, both together below 1"
            )


def normalised(text: str) -> str:
    """Words in lower case with one space between: case, white space, punctuation and Unicode's ways to
    write one character are folded. A text without any word keeps its signs."""
    lower = unicodedata.normalize("NFKC", text).casefold()
    return _NO_WORD.sub(" ", lower).strip() or " ".join(lower.split())


def prompt_key(question: str) -> str:
    """What questions of one side share: the set of their words, less those that mean nothing here.

    Equal normalised questions have equal keys. So have near duplicates that differ in word order,
    repetition or politeness ("Please list the primes" and "List primes, please: the primes!").
    """
    text = normalised(question)
    words = sorted(set(text.split()) - _EMPTY_WORDS)
    return " ".join(words) or text


def side(question: str, shares: Shares) -> Side:
    """Where a question belongs: a digest of its key against the shares."""
    key = f"{shares.salt}\x1f{prompt_key(question)}"
    number = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") / 2**64
    if number < shares.test:
        return Side.TEST
    return Side.VALIDATION if number < shares.test + shares.validation else Side.TRAIN


def split(examples: Iterable[Example], shares: Shares) -> dict[Side, list[Example]]:
    """The examples by side, each side in the order given."""
    sides: dict[Side, list[Example]] = {one: [] for one in Side}
    for example in examples:
        sides[side(example.question, shares)].append(example)
    return sides


def without_prompts(examples: Iterable[Example], questions: Iterable[str]) -> list[Example]:
    """The examples whose question is none of these: what may be trained on when a benchmark asks them."""
    taken = {prompt_key(question) for question in questions}
    return [example for example in examples if prompt_key(example.question) not in taken]


@dataclass(frozen=True, kw_only=True, slots=True)
class Unique:
    """Examples of which no two compare the same answers to the same question.

    duplicates      how many were taken out: of equal ones the first stays
    contradictory   those of them that named another winner than the one that stayed
    """

    examples: Sequence[Example]
    duplicates: int
    contradictory: int


def deduplicated(examples: Iterable[Example]) -> Unique:
    """Take out examples with the question and answers of an earlier one, in either order.

    The question's case and all white space are folded, and nothing else: "2 + 2?" and "2 - 2?" are two
    questions, and answers may be judged by their punctuation.
    """
    kept: dict[str, Example] = {}
    duplicates = contradictory = 0
    for example in examples:
        key = content_key(example.question, example.answers)
        known = kept.setdefault(key, example)
        if known is not example:
            duplicates += 1
            contradictory += _winners(known) != _winners(example)
    return Unique(examples=list(kept.values()), duplicates=duplicates, contradictory=contradictory)


def content_key(question: str, answers: Sequence[str]) -> str:
    """32 hex digits that are equal for the same comparison, whichever answer comes first."""
    return digest(folded(question).casefold(), *sorted(map(folded, answers)), length=32)


def folded(text: str) -> str:
    """The text with its Unicode composition and its white space normalised."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def _winners(example: Example) -> set[str]:
    """The better answer's text by each judgement, "" for a tie."""
    found = set()
    for one in (example.blind, example.informed):
        if one is not None:
            first, second = one.scores
            better = "" if first == second else example.answers[0 if first > second else 1]
            found.add(folded(better))
    return found
