"""What a task item is: a question, two answers of known quality, and why."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from judgestream.core.preference import Preference
from judgestream_trainer.data.example import Example, Judgement, Mark

LOWEST_SCORE, HIGHEST_SCORE = 1, 9
"""What tasks give. 10 is left to JudgeLM's single form, which forces it onto the reference."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """A stretch of an answer. `wrong` says that it lowers the answer's quality.

    The trainer's throw-away head learns to find wrong stretches; nothing else reads the flag.
    """

    text: str
    wrong: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """One answer: its stretches, its computed score (1 to 9) and the remark that explains the score."""

    spans: tuple[Span, ...]
    score: int
    note: str

    @property
    def text(self) -> str:
        return "".join(span.text for span in self.spans)

    @property
    def marks(self) -> tuple[Mark, ...]:
        """Where the spans stand in the text."""
        found, at = list[Mark](), 0
        for span in self.spans:
            found.append((at, at + len(span.text), span.wrong))
            at += len(span.text)
        return tuple(found)


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """One pair to judge.

    reference           a correct answer; with `reference_required` the truth cannot be known without it
    key                 decides the split; two items with one key are always on the same side
    never_train         held out whatever its key says
    group               a finer name within the family, for the card (`trained facts`, ...)
    id                  names the item within its stream; seeds its augmentation
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
        """Whether this item is for evaluation only: one key in five, by its SHA-256 digest."""
        digest = hashlib.sha256(f"{self.family}\x1f{self.key}".encode()).digest()
        return self.never_train or digest[0] % 5 == 0

    @property
    def truth(self) -> Preference:
        """The answer with the higher score is the better one."""
        return Preference.between(*self.scores)

    @property
    def example(self) -> Example:
        """The item as training data: the computed truth takes the teacher's place."""
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
    """One kind of task. `make(rng)` draws an item; the same generator state draws the same item.

    `judges` completes the card's sentence "this judge ...".
    """

    name: str
    make: Callable[[Random], Item]
    judges: str


def right(text: str) -> Span:
    return Span(text=text)


def wrong(text: str) -> Span:
    return Span(text=text, wrong=True)


def explain(first: Answer, second: Answer) -> str:
    """The explanation that goes below the score line."""
    return f"Assistant 1 {first.note}. Assistant 2 {second.note}."


def two_levels(rng: Random, levels: Sequence[int], tie: float = 0.2) -> tuple[int, int]:
    """Quality levels of an item's two answers: equal with probability `tie`, else two different ones."""
    if rng.random() < tie:
        level = rng.choice(levels)
        return level, level
    first, second = rng.sample(list(levels), 2)
    return first, second
