"""Training examples: a question, two answers, and a teacher's judgements of them.

Every source of training data (JudgeLM rows, preference pairs, our own topic, the task families) is converted
to this one type, the only input of augmentation, encoding and training.
"""

from dataclasses import dataclass

Mark = tuple[int, int, bool]
"""Start and end (exclusive) of a span of an answer, in characters, and whether the span is wrong."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Judgement:
    """A teacher's judgement: one score per answer, by position, and the text below the score line."""

    scores: tuple[float, float]
    explanation: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Example:
    """One judged pair.

    blind, informed   the judgements without and with sight of the reference; at least one is present, and
                      `informed` requires a reference
    systems           the systems that gave the answers, "" if unknown
    source            origin (file and line, topic and offset, task family), for data lineage
    group             a group for reports, such as the task family
    marks             the wrong spans of each answer; only generated data has them
    """

    id: str
    question: str
    answers: tuple[str, str]
    blind: Judgement | None
    informed: Judgement | None = None
    reference: str | None = None
    systems: tuple[str, str] = ("", "")
    source: str = ""
    group: str = ""
    marks: tuple[tuple[Mark, ...], tuple[Mark, ...]] = ((), ())

    def __post_init__(self) -> None:
        if self.blind is None and self.informed is None:
            raise ValueError(
                f"example {self.id!r} has no judgement: set blind, or informed and reference"
            )
        if self.informed is not None and self.reference is None:
            raise ValueError(
                f"example {self.id!r} has an informed judgement but no reference: set reference"
            )
        for answer, marks in zip(self.answers, self.marks, strict=True):
            if not all(0 <= low <= high <= len(answer) for low, high, _ in marks):
                raise ValueError(
                    f"example {self.id!r} has a mark outside its answer: use offsets in the text"
                )
