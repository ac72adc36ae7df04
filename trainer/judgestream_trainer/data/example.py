"""What a judge is trained on: a question, two answers, and what a teacher said of them.

Every source of training data (JudgeLM rows, preference pairs, our own topic, the task families) becomes
this one shape, and everything behind it (augmentation, encoding, the loop) knows nothing else.
"""

from dataclasses import dataclass

Mark = tuple[int, int, bool]
"""First character of a stretch of an answer, the one after its last, and whether the stretch is wrong."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Judgement:
    """A teacher's words: one score per answer, by position, and the text below the score line."""

    scores: tuple[float, float]
    explanation: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Example:
    """One judged pair.

    blind, informed   the judgement of a teacher who did not see the reference, and of one who did; at
                      least one is there, and `informed` only with a reference
    systems           who gave the answers, where that is known
    source            where it comes from (file and line, topic and offset, task family): data lineage
    group             a finer name for reports, such as the task family
    marks             per answer, which stretches are wrong; only generators know that
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
                f"example {self.id!r} has no judgement: fill blind, or informed and reference"
            )
        if self.informed is not None and self.reference is None:
            raise ValueError(
                f"example {self.id!r} has a judgement by a reference, and none: fill reference"
            )
        for answer, marks in zip(self.answers, self.marks, strict=True):
            if not all(0 <= low <= high <= len(answer) for low, high, _ in marks):
                raise ValueError(f"example {self.id!r} has a mark outside its answer")
