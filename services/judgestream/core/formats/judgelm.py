"""JudgeLM-100K rows (arXiv 2310.17631): two answers to one question, scored by a teacher."""

from judgestream.core.formats.base import Draft, Format, Vote, dataset_name
from judgestream.core.formats.fields import Fields
from judgestream.core.types import Candidate

TEACHER = "teacher"


def convert(fields: Fields) -> Draft:
    """`score` is the teacher's label when it is two numbers that are not negative.

    The 5k validation file has dictionaries of generation statistics there, and [-1, -1] where the
    teacher's text could not be read: neither is a label. `reference` is text or an object with `text`.
    """
    question = fields.text("question_body")
    answers = [fields.text(f"answer{k}_body") for k in (1, 2)]
    number = fields.identity("question_id")
    return Draft(
        name=dataset_name("judgelm", number, fields, question, *answers),
        question=question,
        candidates=tuple(
            Candidate(
                id=str(k), text=text, system=fields.optional_text(f"answer{k}_model_id") or ""
            )
            for k, text in enumerate(answers, start=1)
        ),
        reference=_reference(fields),
        votes=_votes(fields.values.get("score")),
        metadata={"question_id": number} if number is not None else {},
    )


def _reference(fields: Fields) -> str | None:
    value = fields.values.get("reference")
    if isinstance(value, dict):
        return fields.nested("reference", value).optional_text("text")
    return fields.optional_text("reference")


def _votes(score: object) -> tuple[Vote, ...]:
    if not isinstance(score, list) or len(score) != 2:
        return ()
    if not all(isinstance(s, int | float) and not isinstance(s, bool) and s >= 0 for s in score):
        return ()
    first, second = score
    winner = "" if first == second else "1" if first > second else "2"
    return (Vote(annotator=TEACHER, winner=winner),)


JUDGELM = Format(
    name="judgelm",
    summary="JudgeLM-100K rows: question_body, answer1_body, answer2_body; score is a teacher label",
    needs=(("question_body",), ("answer1_body",), ("answer2_body",)),
    convert=convert,
)
