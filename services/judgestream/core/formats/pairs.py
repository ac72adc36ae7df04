"""Plain tables: a question, two answers, perhaps who is better; or one answer with a reference.

These are also the fields that `--map` fills from columns of other names.
"""

import json
from collections.abc import Mapping

from judgestream.core.conversation import ASSISTANT, USER, Turn
from judgestream.core.formats.base import (
    Draft,
    Grade,
    RequestFormat,
    Vote,
    dataset_name,
    pair_of,
)
from judgestream.core.formats.conversation import (
    message_list,
    transcript,
    transcript_of_reply,
    turns,
)
from judgestream.core.formats.fields import Fields
from judgestream.core.formats.reasons import Aside, NoLabel
from judgestream.core.formats.winners import ids, side
from judgestream.core.types import Candidate

QUESTION = ("question", "prompt", "instruction", "query")
ANSWER_A, ANSWER_B = (
    tuple(
        f"{stem}{sep}{end}" for stem in ("answer", "response") for sep in ("_", "") for end in ends
    )
    for ends in (("a", "1"), ("b", "2"))
)
SYSTEM_A, SYSTEM_B = (
    tuple(f"{stem}{sep}{end}" for stem in ("system", "model") for sep in ("_", "") for end in ends)
    for ends in (("a", "1"), ("b", "2"))
)
ANSWER = ("answer", "response", "completion", "output")
REFERENCE = ("reference", "reference_answer", "ground_truth")
WINNER = ("winner",)
ANNOTATOR = ("annotator", "judge", "rater")
TARGETS = (
    "id", "question", "answer_a", "answer_b", "answer", "reference", "winner", "annotator",
    "system_a", "system_b", "system", "score",
)  # fmt: skip
"""Targets of `--map`, in addition to `metadata.NAME`."""


def convert(fields: Fields) -> Draft:
    """A question and two answers, each a text or a list of messages.

    `winner` is a side ("1", "a", "model_a", ...), "tie", or the name of the system that won; an empty cell
    is not a label.
    """
    question = said_text(fields, _name(fields, QUESTION))
    answers = [answer_text(fields, _name(fields, names)) for names in (ANSWER_A, ANSWER_B)]
    systems = (_optional(fields, SYSTEM_A), _optional(fields, SYSTEM_B))
    votes: tuple[Vote, ...] = ()
    lost: tuple[NoLabel, ...] = ()
    column = next((name for name in WINNER if name in fields.values), None)
    if column is not None:
        winner = side(fields.values[column], systems)
        if isinstance(winner, NoLabel):
            lost = (winner,)
        else:
            by = _optional(fields, ANNOTATOR) or "human"
            votes = (Vote(annotator=by, winner=ids("1", "2")[winner]),)
    number = fields.identity("id", "question_id", "custom_id", "idx")
    reference = _optional_said(fields, REFERENCE)
    return Draft(
        name=fields.identity("request_id")
        or dataset_name("pair", number, fields, question, *answers, *systems),
        question=question,
        candidates=pair_of(answers, systems),
        reference=reference,
        votes=votes,
        unlabelled=lost,
        metadata=_metadata(fields),
    )


def convert_single(fields: Fields) -> Draft:
    """A prompt and one answer, with a reference to judge it by; or with a `label` (TRL's unpaired
    preference: true is good) or a `score`, to be joined with another answer to the same prompt."""
    question = said_text(fields, _name(fields, QUESTION))
    answer = answer_text(fields, _name(fields, ANSWER))
    system = fields.name("system") if isinstance(fields.values.get("system"), str) else ""
    system = system or fields.name("model")
    return Draft(
        name=fields.identity("request_id")
        or dataset_name("single", fields.identity("id", "question_id", "custom_id"), fields, question,
                        answer, system),
        question=question,
        candidates=(Candidate(id="1", text=answer, system=system),),
        mode="single",
        reference=_optional_said(fields, REFERENCE),
        grade=_grade(fields),
        metadata=_metadata(fields),
    )  # fmt: skip


def _grade(fields: Fields) -> Grade | None:
    label = fields.values.get("label")
    if isinstance(label, str) and label.lower() in ("true", "false"):
        label = label.lower() == "true"
    if isinstance(label, bool):
        return Grade(annotator="gold", value=float(label))
    if not fields.filled("score"):
        return None
    by = _optional(fields, ANNOTATOR) or "gold"
    return Grade(annotator=by, value=fields.number("score"))


def said_text(fields: Fields, name: str) -> str:
    """A text, or messages as one text."""
    messages = message_list(fields.values.get(name))
    return (
        fields.scalar_text(name) if messages is None else transcript(turns(fields, name, messages))
    )


def answer_text(fields: Fields, name: str) -> str:
    """A text, or the assistant's messages."""
    messages = message_list(fields.values.get(name))
    if messages is None:
        return fields.scalar_text(name)
    said: list[Turn] = turns(fields, name, messages)
    if any(turn.role == USER for turn in said):
        fields.set_aside(Aside.USER_IN_ANSWER, name, "contains messages of the user")
    answers = [turn for turn in said if turn.role == ASSISTANT]
    return transcript_of_reply(answers or said)


def _name(fields: Fields, names: tuple[str, ...]) -> str:
    return next((name for name in names if name in fields.values), names[0])


def _optional(fields: Fields, names: tuple[str, ...]) -> str:
    name = fields.first(*names)
    return fields.name(name) if name is not None else ""


def _optional_said(fields: Fields, names: tuple[str, ...]) -> str | None:
    name = next((one for one in names if fields.filled(one)), None)
    if name is None:
        return None
    value = fields.values[name]
    if isinstance(value, dict) and "text" in value:
        return fields.inner(name).optional_text("text")
    return said_text(fields, name)


def _metadata(fields: Fields) -> Mapping[str, str]:
    """The metadata from `--map metadata.NAME=COLUMN`."""
    value = fields.values.get("metadata")
    return {} if not isinstance(value, dict) else metadata_texts(value)


def metadata_texts(values: Mapping[str, object]) -> dict[str, str]:
    """Metadata as texts: null is left out, numbers and booleans are as JSON writes them, lists and objects
    are compact JSON."""
    return {
        name: value
        if isinstance(value, str)
        else json.dumps(value, separators=(",", ":"), ensure_ascii=False)
        for name, value in values.items()
        if value is not None
    }


PAIRS = RequestFormat(
    name="pairs",
    summary="a question and two answers (answer_a, answer_b; answer_1, response_2, ...), perhaps a winner",
    needs=(QUESTION, ANSWER_A, ANSWER_B),
    convert=convert,
)
SINGLE = RequestFormat(
    name="single",
    summary="a question and one answer, with a reference; or with a label or a score, and --join",
    needs=(QUESTION, ANSWER),
    convert=convert_single,
)
