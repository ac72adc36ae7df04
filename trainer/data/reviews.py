"""FastChat's reviews (the Vicuna benchmark's): scores and text of a teacher, joined with question and
answers."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from judgestream.core.formats.base import digest
from judgestream.core.formats.fields import Fields, Place
from trainer.data.kinds import Kind
from trainer.data.outcomes import Outcome, Reason, Usable
from trainer.data.teacher import judgement, score_pair
from trainer.examples import Example, Judgement


@dataclass(frozen=True, kw_only=True, slots=True)
class Review:
    """What is kept of a review until its texts are there. Ids, and what was read of the judgement."""

    place: Place
    question: str
    answers: tuple[str, str]
    judgement: Judgement | Reason


class Reviews:
    """Reviews by the ids of their question and answers. Files may come in any order."""

    def __init__(self) -> None:
        self._questions: dict[str, str] = {}
        self._answers: dict[str, tuple[str, str]] = {}
        self._reviews: list[Review] = []

    def add(self, part: str, fields: Fields) -> None:
        _PARTS[part](self, fields)

    def add_question(self, fields: Fields) -> None:
        self._questions[_id(fields, "question_id")] = fields.text("text")

    def add_answer(self, fields: Fields) -> None:
        """The answer's text and system, by its id."""
        system = fields.optional_text("model_id") or ""
        self._answers[_id(fields, "answer_id")] = fields.text("text"), system

    def add_review(self, fields: Fields) -> None:
        words, scores = fields.optional_text("text"), score_pair(fields, "score")
        review = Review(
            place=fields.place,
            question=_id(fields, "question_id"),
            answers=(_id(fields, "answer1_id"), _id(fields, "answer2_id")),
            judgement=judgement(words, scores),
        )
        self._reviews.append(review)

    def outcomes(self) -> Iterator[Outcome]:
        for review in self._reviews:
            yield self._outcome(review)

    def _outcome(self, review: Review) -> Outcome:
        if isinstance(review.judgement, Reason):
            return review.judgement
        question = self._questions.get(review.question)
        first, second = (self._answers.get(name) for name in review.answers)
        if question is None or first is None or second is None:
            return Reason.NO_TEXTS
        content = digest(question, first[0], second[0], length=10)
        example = Example(
            id=f"review-{review.question}-{content}",
            question=question,
            answers=(first[0], second[0]),
            systems=(first[1], second[1]),
            blind=review.judgement,
            source=str(review.place),
        )
        return Usable(example=example)


def _id(fields: Fields, name: str) -> str:
    found = fields.identity(name)
    if found is None:
        fields.reject(name, "is missing, and records are joined by it")
    return found


_PARTS: Mapping[str, Callable[[Reviews, Fields], None]] = MappingProxyType(
    {
        "reviews": Reviews.add_review,
        "answers": Reviews.add_answer,
        "questions": Reviews.add_question,
    }
)
REVIEWS = Kind(
    name="reviews",
    summary="FastChat reviews; joined with the questions and answers that they name",
    needs=(("answer1_id",), ("answer2_id",), ("score",)),
    join=Reviews,
)
ANSWERS = Kind(
    name="answers",
    summary="FastChat answers, for the reviews that name them",
    needs=(("answer_id",), ("text",)),
    join=Reviews,
)
QUESTIONS = Kind(
    name="questions",
    summary="FastChat questions, for the reviews that name them",
    needs=(("question_id",), ("text",), ("category",)),
    join=Reviews,
)
