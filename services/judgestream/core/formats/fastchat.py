"""FastChat's files (Vicuna benchmark, MT-Bench, FairEval): questions, answers, reviews and judgements.

Questions, answers and reviews are joined by their ids; a judgement of MT-Bench carries its texts itself.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from types import MappingProxyType

from judgestream.core.conversation import ASSISTANT, USER, Turn
from judgestream.core.formats.base import (
    Draft,
    Found,
    Grade,
    RequestFormat,
    Review,
    Vote,
    dataset_name,
    pair_of,
)
from judgestream.core.formats.conversation import numbered
from judgestream.core.formats.fields import Fields, Place, SetAside, shortened
from judgestream.core.formats.judge_prompts import judged
from judgestream.core.formats.judgelm import score_pair, votes_of
from judgestream.core.formats.reasons import Aside, NoLabel
from judgestream.core.types import Candidate, Options, ReferenceUse

REFERENCE_FOLDER = "reference_answer"
"""FastChat keeps reference answers in a folder of this name; the records look like any model's answers."""
FAIREVAL = MappingProxyType({"CHATGPT": "gpt-3.5-turbo", "VICUNA13B": "vicuna-13b", "TIE": ""})
"""FairEval's words, and the beginnings of the model names that they stand for."""
_PAIR = ("gpt-3.5-turbo", "vicuna-13b")


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """One model's answer to one question, turn by turn."""

    question: str
    system: str
    turns: tuple[str, ...]
    place: Place


class FastChat:
    """Questions and answers, and the reviews of some of them.

    With reviews, the reviewed pairs are the requests. Without, every pair of models that answered a
    question is one; of a question with two turns, one for the first and one for both turns. FairEval's
    file of votes says which of the two models of its pair is better, line by line in the questions' order.
    """

    def __init__(self) -> None:
        self._questions: dict[str, tuple[str, ...]] = {}
        self._answers: dict[str, Answer] = {}
        self._references: dict[str, tuple[str, ...]] = {}
        self._reviews: list[Fields] = []
        self._human: list[tuple[Place, str]] = []

    def add(self, part: str, fields: Fields) -> None:
        _PARTS[part](self, fields)

    def add_question(self, fields: Fields) -> None:
        turns = _turns(fields) if fields.has("turns") else (fields.text("text"),)
        self._questions[_id(fields, "question_id")] = turns

    def add_answer(self, fields: Fields) -> None:
        question = _id(fields, "question_id")
        if fields.has("choices"):
            choices = fields.items("choices")
            if not choices:
                fields.set_aside(Aside.NO_ANSWER, "choices", "is empty")
            turns = _turns(fields.nested("choices[0]", choices[0]))
        else:
            turns = (fields.text("text"),)
        if REFERENCE_FOLDER in fields.place.file:
            self._references[question] = turns
            return
        answer = Answer(
            question=question, system=fields.name("model_id"), turns=turns, place=fields.place
        )
        self._answers[_id(fields, "answer_id")] = answer

    def add_review(self, fields: Fields) -> None:
        for name in ("question_id", "answer1_id", "answer2_id"):
            _id(fields, name)
        _review(fields)  # so that a malformed one is refused now, not after all other files
        self._reviews.append(fields)

    def add_votes(self, fields: Fields) -> None:
        word = fields.text("line").strip()
        if word not in FAIREVAL:
            fields.reject("line", f"must be {', '.join(FAIREVAL)}, not {shortened(word)}")
        self._human.append((fields.place, word))

    def ignore(self, fields: Fields) -> None:
        """A table of ids."""

    def outcomes(self) -> Iterator[Found]:
        if self._human:
            yield from self._by_people()
        elif self._reviews:
            yield from map(self._reviewed, self._reviews)
        else:
            yield from self._all_pairs()

    def _reviewed(self, fields: Fields) -> Found:
        review = _review(fields)
        pair = [self._answers.get(_id(fields, name)) for name in ("answer1_id", "answer2_id")]
        question = self._questions.get(_id(fields, "question_id"))
        if question is None or pair[0] is None or pair[1] is None:
            missing = "question" if question is None else "answer"
            problem = f"{fields.place}: no file has the {missing} that it names"
            return SetAside(problem, Aside.NO_TEXTS)
        number = _id(fields, "question_id")
        votes = votes_of([review])
        return self._draft(
            fields.place, number, question, (pair[0], pair[1]), 1, votes=votes, reviews=(review,),
            unlabelled=() if votes else (NoLabel.UNREADABLE_JUDGEMENT,),
        )  # fmt: skip

    def _by_people(self) -> Iterator[Found]:
        """FairEval: line i of the votes belongs to question i."""
        numbers = list(self._questions)
        for place, word in self._human:
            answers = (
                [self._of(numbers[place.number - 1], model) for model in _PAIR]
                if (place.number <= len(numbers))
                else []
            )
            first, second = answers or (None, None)
            if first is None or second is None:
                problem = f"{place}: no file has the question or the answers of this line"
                yield SetAside(problem, Aside.NO_TEXTS)
                continue
            number = numbers[place.number - 1]
            winner = {_PAIR[0]: "1", _PAIR[1]: "2", "": ""}[FAIREVAL[word]]
            yield self._draft(
                place, number, self._questions[number], (first, second), 1,
                votes=(Vote(annotator="human", winner=winner, with_reference=False),),
            )  # fmt: skip

    def _of(self, question: str, model: str) -> Answer | None:
        found = (
            one
            for one in self._answers.values()
            if one.question == question and one.system.startswith(model)
        )
        return next(found, None)

    def _all_pairs(self) -> Iterator[Found]:
        answered: dict[str, dict[str, Answer]] = {}
        for answer in self._answers.values():
            answered.setdefault(answer.question, {})[answer.system] = answer
        for number, answers in answered.items():
            question = self._questions.get(number)
            if question is None:
                for answer in answers.values():
                    problem = f"{answer.place}: no file has the question that it answers"
                    yield SetAside(problem, Aside.NO_QUESTION)
                continue
            if len(answers) < 2:
                (answer,) = answers.values()
                problem = f"{answer.place}: no other model answers this question"
                yield SetAside(problem, Aside.NO_PARTNER)
                continue
            for first, second in combinations(answers.values(), 2):
                for turns in range(1, min(len(question), len(first.turns), len(second.turns)) + 1):
                    yield self._draft(first.place, number, question, (first, second), turns)

    def _draft(
        self,
        place: Place,
        number: str,
        question: tuple[str, ...],
        pair: tuple[Answer, Answer],
        turns: int,
        votes: tuple[Vote, ...] = (),
        reviews: tuple[Review, ...] = (),
        unlabelled: tuple[NoLabel, ...] = (),
    ) -> Draft:
        asked = numbered(question[:turns])
        texts = [numbered(answer.turns[:turns]) for answer in pair]
        systems = [answer.system for answer in pair]
        known = self._references.get(number, ())[:turns]
        blind = bool(known and votes)
        name = dataset_name("fastchat", number, Fields({}, place), asked, *texts, *systems)
        metadata = {"question_id": number} | ({"turn": str(turns)} if len(question) > 1 else {})
        return Draft(
            name=name,
            question=asked,
            candidates=pair_of(texts, systems),
            reference=numbered(known) if known else None,
            votes=votes,
            reviews=reviews,
            unlabelled=unlabelled,
            options=Options(reference_use=ReferenceUse.NEVER if blind else ReferenceUse.AUTO),
            metadata=metadata,
            place=place,
            conversations=tuple(_said(question, answer.turns[:turns]) for answer in pair),
        )


def _said(questions: Sequence[str], answers: Sequence[str]) -> tuple[Turn, ...]:
    """The conversation of these questions with these answers."""
    return tuple(
        Turn(role=role, text=text)
        for asked, answered in zip(questions, answers, strict=False)
        for role, text in ((USER, asked), (ASSISTANT, answered))
    )


def convert_pair(fields: Fields) -> Draft:
    """MT-Bench's judgement of a pair in both orders. FastChat's own reading is the label: a model wins
    when it wins in both orders, and everything else is a tie."""
    found = judged(fields.text("g1_user_prompt"), 2)
    if found is None:
        fields.set_aside(Aside.UNKNOWN_PROMPT, "g1_user_prompt", "is of no form that FastChat uses")
    words = [fields.text(name) for name in ("g1_winner", "g2_winner")]
    sides = {"model_1": "1", "model_2": "2", "tie": ""}
    votes: tuple[Vote, ...] = ()
    if all(word in sides for word in words):
        winner = sides[words[0]] if words[0] == words[1] else ""
        votes = (_vote(fields, winner, found.reference is not None),)
    number = _id(fields, "question_id")
    systems = [fields.name("model_1"), fields.name("model_2")]
    content = (found.question, *found.answers, *systems)
    return Draft(
        name=dataset_name("mt-bench", number, fields, *content),
        question=found.question,
        candidates=pair_of(found.answers, systems),
        reference=found.reference,
        votes=votes,
        unlabelled=() if votes else (NoLabel.UNREADABLE_JUDGEMENT,),
        metadata=_judgement_metadata(fields, number)
        | {"g1_winner": words[0][:40], "g2_winner": words[1][:40]},
    )


def convert_single(fields: Fields) -> Draft:
    """MT-Bench's judgement of one answer, 1 to 10; -1 is a judgement that could not be read."""
    found = judged(fields.text("user_prompt"), 1)
    if found is None:
        fields.set_aside(Aside.UNKNOWN_PROMPT, "user_prompt", "is of no form that FastChat uses")
    number, score = _id(fields, "question_id"), fields.number("score")
    system = fields.name("model")
    return Draft(
        name=dataset_name("mt-bench", number, fields, found.question, *found.answers, system),
        question=found.question,
        candidates=(Candidate(id="1", text=found.answers[0], system=system),),
        mode="single",
        reference=found.reference,
        grade=Grade(annotator=_judge(fields), value=score, equal_ties=True) if score >= 0 else None,
        unlabelled=() if score >= 0 else (NoLabel.UNREADABLE_JUDGEMENT,),
        metadata=_judgement_metadata(fields, number),
    )


def _vote(fields: Fields, winner: str, with_reference: bool) -> Vote:
    return Vote(annotator=_judge(fields), winner=winner, with_reference=with_reference)


def _judge(fields: Fields) -> str:
    judge = fields.values.get("judge")
    name = judge[0] if isinstance(judge, list) and judge else judge
    return Fields({"judge": name}, fields.place).optional_text("judge") or "judge"


def _judgement_metadata(fields: Fields, number: str) -> dict[str, str]:
    turn = fields.identity("turn")
    return {"question_id": number} | ({"turn": turn} if turn is not None else {})


def _review(fields: Fields) -> Review:
    by = fields.identity("reviewer_id")
    return Review(
        annotator=by if by is not None and not by.isdigit() else "reviewer",
        text=fields.optional_text("text"),
        scores=score_pair(fields, "score"),
        with_reference=False,
    )


def _turns(fields: Fields) -> tuple[str, ...]:
    texts = Fields(
        {f"turns[{k}]": one for k, one in enumerate(fields.items("turns"))}, fields.place
    )
    if not texts.values:
        fields.set_aside(Aside.NO_ANSWER, "turns", "is empty")
    return tuple(texts.text(name) for name in texts.values)


def _id(fields: Fields, name: str) -> str:
    found = fields.identity(name)
    if found is None:
        fields.reject(name, "is missing, and records are joined by it")
    return found


_PARTS: Mapping[str, Callable[[FastChat, Fields], None]] = MappingProxyType(
    {
        "fastchat-reviews": FastChat.add_review,
        "fastchat-answers": FastChat.add_answer,
        "fastchat-questions": FastChat.add_question,
        "fastchat-ids": FastChat.ignore,
        "faireval-votes": FastChat.add_votes,
    }
)
MT_PAIRS = RequestFormat(
    name="mt-bench-pairs",
    summary="MT-Bench judgements of pairs, texts included; the label: the winner in both orders, else a tie",
    needs=(("g1_winner",), ("g2_winner",), ("g1_user_prompt",)),
    convert=convert_pair,
)
MT_SINGLE = RequestFormat(
    name="mt-bench-single",
    summary="MT-Bench judgements of single answers, texts included; those without a reference need --join",
    needs=(("user_prompt",), ("judgment",), ("score",)),
    convert=convert_single,
)
REVIEWS = RequestFormat(
    name="fastchat-reviews",
    summary="FastChat reviews; joined with the questions and answers that they name",
    needs=(("answer1_id",), ("answer2_id",), ("score",)),
    join=FastChat,
)
ANSWERS = RequestFormat(
    name="fastchat-answers",
    summary="FastChat and MT-Bench answers (in a folder reference_answer: references), joined with questions",
    needs=(("answer_id",), ("text", "choices"), ("question_id",)),
    join=FastChat,
)
QUESTIONS = RequestFormat(
    name="fastchat-questions",
    summary="FastChat and MT-Bench questions, joined with their answers",
    needs=(("question_id",), ("text", "turns"), ("category",)),
    join=FastChat,
)
IDS = RequestFormat(
    name="fastchat-ids",
    summary="FastChat's tables of models and reviewers, passed over",
    needs=(("model_id", "reviewer_id"), ("model_metadata", "description")),
    join=FastChat,
)
FAIREVAL_VOTES = RequestFormat(
    name="faireval-votes",
    summary="FairEval's votes (CHATGPT, VICUNA13B, TIE; one a line), joined with its questions and answers",
    needs=(("line",),),
    join=FastChat,
    when=lambda values: set(values) == {"line"} and values["line"] in FAIREVAL,
)
