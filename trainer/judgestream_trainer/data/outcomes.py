"""Outcomes of reading a record: an example or the reason why there is none, and their counts."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from judgestream.core.errors import ConfigurationError
from judgestream.core.formats.base import Draft, Format
from judgestream.core.formats.fields import InvalidRecord
from judgestream.core.formats.reasons import Aside, NoLabel
from judgestream.core.types import Label
from judgestream_trainer.data.example import Example

HIGHEST = 10.0
"""The upper bound of a score. The scale begins at 1, but teachers sometimes give a 0."""


class TrainingDataError(ConfigurationError):
    """A file of training data is malformed. The message names file, line and field."""

    code = "training_data"


class Reason(StrEnum):
    """Why a record, or one of its judgements, is unusable. Always counted, never dropped silently."""

    EMPTY_QUESTION = "empty_question"
    EMPTY_ANSWER = "empty_answer"
    IDENTICAL_ANSWERS = "identical_answers"
    NO_JUDGEMENT = "no_judgement"  # nothing says which answer is better
    TEACHER_ERROR = "teacher_error"  # the teacher's text is the word "error"
    MARKED_UNREADABLE = "marked_unreadable"  # its score is [-1, -1]
    UNPARSABLE = "unparsable"  # its text does not begin with a score line
    OUT_OF_RANGE = "out_of_range"  # a score below 0 or above 10
    SCORES_DISAGREE = "scores_disagree"  # its score line and its `score` differ
    NO_REFERENCE = "no_reference"  # judged by a reference that is missing
    REPLACED = "replaced"  # a later record has the same id
    NO_REQUEST = "no_request"  # a label or verdict whose request is in no file
    NO_LABEL = "no_label"  # a request or verdict without a label
    INVALID_LABEL = "invalid_label"  # its labels name neither a winner nor a tie, or both
    AMBIGUOUS = "ambiguous"  # two contents under one request id: the label could mean either
    PROBE = "probe"  # a test request of `judgestream doctor`
    NO_MAJORITY = "no_majority"  # its annotators disagree
    UNKNOWN_WINNER = "unknown_winner"  # the label names neither candidate
    HAS_IMAGES = "has_images"  # the trained judges read texts
    NOT_A_PAIR = "not_a_pair"  # one candidate, more than two, or conversations
    UNDECODABLE = "undecodable"  # an invalid record on the topic
    TAKEN_BACK = "taken_back"  # a tombstone on the topic, and the example that it deletes
    NO_TEXTS = "no_texts"  # a review whose question or answers are in no file


@dataclass(frozen=True, kw_only=True, slots=True)
class Usable:
    """An example. `lost` holds the reasons for judgements of its record that are left out."""

    example: Example
    lost: tuple[Reason, ...] = ()


LeftOut = Reason | Aside | NoLabel
"""Why a record gave no example: a reason of training, or one of the input format."""
Outcome = Usable | LeftOut
Kind = Format[Outcome | Draft | Label | InvalidRecord]
"""A row of the table of training-data formats."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Counts:
    """read = kept + everything in `by_reason`.

    read       records; for joined files (verdicts, labels, requests) request ids
    by_reason  records without an example
    lost       unusable judgements of records that were kept for their other judgement
    """

    read: int = 0
    kept: int = 0
    by_reason: Mapping[LeftOut, int] = field(default_factory=dict)
    lost: Mapping[Reason, int] = field(default_factory=dict)

    def __str__(self) -> str:
        """One line, with the most frequent reasons first."""
        left_out = f", {self.read - self.kept} left out ({_listed(self.by_reason)})"
        lost = f"; {sum(self.lost.values())} kept with one judgement of two ({_listed(self.lost)})"
        return (
            f"{self.read} read, {self.kept} kept"
            f"{left_out if self.by_reason else ''}{lost if self.lost else ''}"
        )


class ExampleCollector:
    """Collects outcomes. A later example replaces an earlier one with the same id, as on the topic."""

    def __init__(self) -> None:
        self._examples: dict[str, Example] = {}
        self._read = 0
        self._by_reason: Counter[LeftOut] = Counter()
        self._lost: Counter[Reason] = Counter()

    def add(self, outcome: Outcome) -> None:
        self._read += 1
        if not isinstance(outcome, Usable):
            self._by_reason[outcome] += 1
            return
        example = outcome.example
        reason = unusable(example)
        if reason is not None:
            self._by_reason[reason] += 1
            return
        self._by_reason[Reason.REPLACED] += example.id in self._examples
        self._examples[example.id] = example
        self._lost.update(outcome.lost)

    def take_back(self, example_id: str) -> None:
        """Delete an example, as a tombstone on the topic does."""
        known = self._examples.pop(example_id, None)
        self._read += 1
        self._by_reason[Reason.TAKEN_BACK] += 1 + (known is not None)

    def result(self) -> tuple[list[Example], Counts]:
        counts = Counts(
            read=self._read,
            kept=len(self._examples),
            by_reason=dict((+self._by_reason).most_common()),
            lost=dict(self._lost.most_common()),
        )
        return list(self._examples.values()), counts


def unusable(example: Example) -> Reason | None:
    """Why an example cannot be trained on, whatever its source; None if it can."""
    first, second = (answer.strip() for answer in example.answers)
    judgements = [j for j in (example.blind, example.informed) if j is not None]
    if not example.question.strip():
        return Reason.EMPTY_QUESTION
    if not first or not second:
        return Reason.EMPTY_ANSWER
    if first == second:
        return Reason.IDENTICAL_ANSWERS
    if not all(in_range(judgement.scores) for judgement in judgements):
        return Reason.OUT_OF_RANGE
    return None


def in_range(scores: tuple[float, float]) -> bool:
    """Whether both scores are in range; NaN is not."""
    return all(0.0 <= score <= HIGHEST for score in scores)


def _listed(counts: Mapping[LeftOut, int] | Mapping[Reason, int]) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in counts.items())
