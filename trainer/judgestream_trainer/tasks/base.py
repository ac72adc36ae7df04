"""Task items: a question, two answers of known quality, and an explanation."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from judgestream.core.preference import Preference
from judgestream_trainer.data.example import Example, Judgement, Mark

LOWEST_SCORE, HIGHEST_SCORE = 1, 9
"""The scores of task answers. 10 is reserved for JudgeLM's single form, which gives it to the reference."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """A span of an answer. `wrong` means that it lowers the answer's quality.

    Only the trainer's auxiliary heads, which learn to find wrong spans, read the flag.
    """

    text: str
    wrong: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """One answer: its spans, its computed score (1 to 9) and the remark that explains the score."""

    spans: tuple[Span, ...]
    score: int
    note: str

    @property
    def text(self) -> str:
        return "".join(span.text for span in self.spans)

    @property
    def marks(self) -> tuple[Mark, ...]:
        """The position of each span in the text."""
        marks, start = list[Mark](), 0
        for span in self.spans:
            end = start + len(span.text)
            marks.append((start, end, span.wrong))
            start = end
        return tuple(marks)


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """One pair to judge.

    reference           a correct answer; if `reference_required`, the truth cannot be known without it
    key                 determines the split; items with equal keys are on the same side
    never_train         held out regardless of its key
    group               a subgroup of the family, for the card (`trained facts`, ...)
    id                  unique within its stream; seeds its augmentation
    """

    family: str
    question: str
    answers: tuple[Answer, Answer]
    reference: str
    key: str
    explanation: str
    group: str = ""
    reference_required: bool = False
    never_train: bool = False
    id: str = ""

    @property
    def scores(self) -> tuple[int, int]:
        return self.answers[0].score, self.answers[1].score

    @property
    def held_out(self) -> bool:
        """Whether the item is for evaluation only: one key in five, by its SHA-256 digest."""
        digest = hashlib.sha256(f"{self.family}\x1f{self.key}".encode()).digest()
        return self.never_train or digest[0] % 5 == 0

    @property
    def truth(self) -> Preference:
        """The answer with the higher score is the better one."""
        return Preference.between(*self.scores)

    @property
    def example(self) -> Example:
        """The item as training data, with the computed truth in place of a teacher's judgement."""
        judgement = Judgement(scores=self.scores, explanation=self.explanation)
        first, second = self.answers
        return Example(
            id=self.id,
            question=self.question,
            answers=(first.text, second.text),
            blind=None if self.reference_required else judgement,
            informed=judgement,
            reference=self.reference,
            source=f"trainer/tasks/{self.family}",
            group=self.family,
            marks=(first.marks, second.marks),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Family:
    """One kind of task. `make(rng)` draws an item; equal generator states draw equal items.

    `judges` says what a judge trained on the family does: a verb phrase for the card.
    """

    name: str
    make: Callable[[Random], Item]
    judges: str


def right(text: str) -> Span:
    return Span(text=text)


def wrong(text: str) -> Span:
    return Span(text=text, wrong=True)


def explain(first: Answer, second: Answer) -> str:
    """The explanation below the score line."""
    return f"Assistant 1 {first.note}. Assistant 2 {second.note}."


def two_levels(rng: Random, levels: Sequence[int], tie: float = 0.2) -> tuple[int, int]:
    """Quality levels of an item's two answers: equal with probability `tie`, else different."""
    if rng.random() < tie:
        level = rng.choice(levels)
        return level, level
    first, second = rng.sample(list(levels), 2)
    return first, second
