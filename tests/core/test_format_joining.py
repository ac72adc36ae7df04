"""Answers from separate records, joined into pairs by their question."""

from judgestream.core.formats.base import Draft, Grade
from judgestream.core.formats.fields import Place, SetAside
from judgestream.core.formats.joining import Answered, joined
from judgestream.core.formats.reasons import Aside, NoLabel
from judgestream.core.types import Candidate


def answered(
    text: str,
    *,
    file: str = "a.jsonl",
    line: int = 1,
    question: str = "2 + 2?",
    key: str | None = "k",
    grade: Grade | None = None,
    metadata: dict[str, str] | None = None,
) -> Answered:
    draft = Draft(
        name=text,
        question=question,
        candidates=(Candidate(id="1", text=text),),
        mode="single",
        reference="4",
        grade=grade,
        metadata=metadata or {},
    )
    return Answered(draft=draft, place=Place(file=file, number=line), key=key)


def grade(value: float, *, annotator: str = "h", equal_ties: bool = True) -> Grade:
    return Grade(annotator=annotator, value=value, equal_ties=equal_ties)


def drafts(*answers: Answered) -> list[Draft]:
    return [found for _, found in joined(answers) if isinstance(found, Draft)]


def reasons(*answers: Answered) -> list[Aside]:
    return [found.reason for _, found in joined(answers) if isinstance(found, SetAside)]


def test_answers_of_two_files_make_a_pair_with_the_metadata_that_they_share() -> None:
    first = answered("4", metadata={"run": "7", "seed": "1"})
    second = answered("5", file="b.jsonl", metadata={"run": "7", "seed": "2"})
    (pair,) = drafts(first, second)
    assert [candidate.text for candidate in pair.candidates] == ["4", "5"]
    assert (pair.mode, pair.reference, pair.metadata) == ("pairwise", "4", {"run": "7"})


def test_several_samples_of_one_source_make_every_pair() -> None:
    assert len(drafts(*(answered(text) for text in "123"))) == 3


def test_a_repeated_record_counts_once() -> None:
    repeated = answered("4"), answered("4", line=2), answered("5", file="b.jsonl")
    assert len(drafts(*repeated)) == 1


def test_an_answer_without_a_certain_partner_is_set_aside() -> None:
    assert reasons(answered("4", key=None)) == [Aside.NO_PARTNER]
    assert reasons(answered("4")) == [Aside.NO_PARTNER]
    ambiguous = answered("4"), answered("5", line=2), answered("6", file="b.jsonl")
    assert reasons(*ambiguous) == [Aside.AMBIGUOUS_ID, Aside.AMBIGUOUS_ID, Aside.NO_PARTNER]
    other = answered("5", file="b.jsonl", question="3 + 3?")
    assert reasons(answered("4"), other) == [Aside.QUESTIONS_DIFFER]


def votes(first: Grade | None, second: Grade | None) -> tuple[list[str], tuple[NoLabel, ...]]:
    (pair,) = drafts(answered("4", grade=first), answered("5", file="b.jsonl", grade=second))
    return [vote.winner for vote in pair.votes], pair.unlabelled


def test_two_grades_by_one_annotator_make_the_label() -> None:
    assert votes(grade(2), grade(1)) == (["1"], ())
    assert votes(grade(1), grade(2)) == (["2"], ())
    assert votes(grade(1), grade(1)) == ([""], ())
    assert votes(grade(1, equal_ties=False), grade(1)) == ([], (NoLabel.EQUAL_SCORES,))
    assert votes(grade(1), grade(2, annotator="other")) == ([], ())
    assert votes(grade(1), None) == ([], ())
