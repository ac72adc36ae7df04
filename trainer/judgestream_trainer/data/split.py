"""Deduplication, and a split into train, validation and test sides that no prompt crosses.

The side depends on the question alone: a question that is held out stays held out, whatever else the data
set holds and however it grows.
"""

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from judgestream.core.errors import ConfigurationError
from judgestream.core.formats.base import digest
from judgestream.core.preference import Preference
from judgestream_trainer.data.example import Example

_NO_WORD = re.compile(r"[\W_]+")
_EMPTY_WORDS = frozenset("a an the this that please kindly can could would will you me".split())
"""Words that do not make two questions different."""


class Side(StrEnum):
    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"


@dataclass(frozen=True, kw_only=True, slots=True)
class Shares:
    """The expected shares of held-out questions; the rest is for training.

    salt   changes the split
    """

    validation: float = 0.05
    test: float = 0.05
    salt: str = ""

    def __post_init__(self) -> None:
        if min(self.validation, self.test) < 0 or self.validation + self.test >= 1:
            raise ConfigurationError(
                f"invalid shares: {self.validation:g} for validation and {self.test:g} for test leave"
                " nothing to train on. Use shares of at least 0 with a sum below 1"
            )


def normalised(text: str) -> str:
    """The words in lower case, separated by single spaces.

    Case, white space, punctuation and Unicode compatibility forms are normalised. A text without words keeps
    its signs.
    """
    lower = unicodedata.normalize("NFKC", text).casefold()
    return _NO_WORD.sub(" ", lower).strip() or " ".join(lower.split())


def prompt_key(question: str) -> str:
    """The sorted set of the question's content words; questions with equal keys are on the same side.

    Equal normalised questions have equal keys. So do near duplicates that differ in word order, repetition or
    politeness ("Please list the primes" and "List primes, please: the primes!").
    """
    text = normalised(question)
    words = sorted(set(text.split()) - _EMPTY_WORDS)
    return " ".join(words) or text


def side(question: str, shares: Shares) -> Side:
    """The side of a question, by a digest of its key."""
    key = f"{shares.salt}\x1f{prompt_key(question)}"
    number = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") / 2**64
    if number < shares.test:
        return Side.TEST
    return Side.VALIDATION if number < shares.test + shares.validation else Side.TRAIN


def split(examples: Iterable[Example], shares: Shares) -> dict[Side, list[Example]]:
    """The examples by side, in their order."""
    sides: dict[Side, list[Example]] = {name: [] for name in Side}
    for example in examples:
        sides[side(example.question, shares)].append(example)
    return sides


def without_prompts(examples: Iterable[Example], questions: Iterable[str]) -> list[Example]:
    """The examples whose question is not among these, for example those of a benchmark."""
    excluded = {prompt_key(question) for question in questions}
    return [example for example in examples if prompt_key(example.question) not in excluded]


@dataclass(frozen=True, kw_only=True, slots=True)
class Unique:
    """Examples without two that compare the same answers to the same question.

    duplicates      number of removed examples; the first of several equal ones stays
    contradictory   number of removed examples with another winner than the one that stays
    """

    examples: Sequence[Example]
    duplicates: int
    contradictory: int


def deduplicated(examples: Iterable[Example]) -> Unique:
    """Remove examples with the question and answers of an earlier one, in either order.

    Only the question's case and all white space are normalised: "2 + 2?" and "2 - 2?" are different
    questions, and the quality of an answer may depend on its punctuation.
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
    judgements = [j for j in (example.blind, example.informed) if j is not None]
    signs = [Preference.between(*judgement.scores) for judgement in judgements]
    return {sign.winner([folded(answer) for answer in example.answers]) for sign in signs}
