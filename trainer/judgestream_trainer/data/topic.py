"""Examples as records of `judge.training.v1`, in protobuf and as JSON lines."""

from datetime import datetime

from google.protobuf import json_format

from judgestream.contracts.codecs.times import timestamp
from judgestream.contracts.json_mapping import parsed
from judgestream.core.errors import InvalidRequest
from judgestream.core.formats.fields import Fields, InvalidRecord
from judgestream.core.limits import ID, quoted
from judgestream.v1 import training_pb2 as pb
from judgestream_trainer.data.example import Example, Judgement, Mark
from judgestream_trainer.data.outcomes import Kind, Outcome, Usable


def example_to_message(example: Example, *, labelled_at: datetime) -> pb.TrainingExample:
    """The record of an example, without loss. `labelled_at` is the record's event time."""
    return pb.TrainingExample(
        example_id=example.id,
        question=example.question,
        answers=[
            pb.TrainingAnswer(
                text=text,
                system=system,
                marks=[pb.TrainingMark(start=low, end=high, wrong=w) for low, high, w in marks],
            )
            for text, system, marks in zip(
                example.answers, example.systems, example.marks, strict=True
            )
        ],
        reference=example.reference,
        blind=_judgement_to_message(example.blind),
        informed=_judgement_to_message(example.informed),
        source=example.source,
        group=example.group,
        labelled_at=timestamp(labelled_at),
    )


def example_from_message(message: pb.TrainingExample) -> Example:
    """The example of a record.

    Raises:
        InvalidRequest: the id is missing or too long, there are not two answers, or a judgement is missing
            or has not two scores.
    """
    where = f"training example {quoted(message.example_id)}"
    if len(message.example_id.encode()) > ID:
        raise InvalidRequest(f"{where}: example_id exceeds {ID} bytes: use a shorter one")
    if not message.example_id:
        raise InvalidRequest(f"{where}: example_id is empty: give every example a unique id")
    if len(message.answers) != 2:
        raise InvalidRequest(f"{where}: answers has {len(message.answers)} entries: give two")
    first, second = message.answers
    try:
        return Example(
            id=message.example_id,
            question=message.question,
            answers=(first.text, second.text),
            systems=(first.system, second.system),
            marks=(_marks(first), _marks(second)),
            reference=message.reference if message.HasField("reference") else None,
            blind=_judgement(message, "blind", where),
            informed=_judgement(message, "informed", where),
            source=message.source,
            group=message.group,
        )
    except ValueError as exc:  # raised by Example itself
        raise InvalidRequest(f"{where}: {exc}") from exc


def convert(fields: Fields) -> Outcome:
    """A `TrainingExample` in protobuf's JSON mapping, camelCase or snake_case."""
    message = parsed(fields, pb.TrainingExample)
    try:
        return Usable(example=example_from_message(message))
    except InvalidRequest as exc:
        raise InvalidRecord(f"{fields.place}: {exc}") from exc


def json_line(example: Example, *, labelled_at: datetime) -> str:
    """The example's record as one line of JSON, with its newline."""
    message = example_to_message(example, labelled_at=labelled_at)
    return json_format.MessageToJson(message, indent=None, ensure_ascii=False) + "\n"


def _judgement_to_message(judgement: Judgement | None) -> pb.TeacherJudgement | None:
    if judgement is None:
        return None
    return pb.TeacherJudgement(scores=judgement.scores, explanation=judgement.explanation)


def _judgement(message: pb.TrainingExample, name: str, where: str) -> Judgement | None:
    if not message.HasField(name):
        return None
    judgement: pb.TeacherJudgement = getattr(message, name)
    if len(judgement.scores) != 2:
        raise InvalidRequest(
            f"{where}: {name}.scores has {len(judgement.scores)} entries: give two"
        )
    first, second = judgement.scores
    return Judgement(scores=(first, second), explanation=judgement.explanation)


def _marks(answer: pb.TrainingAnswer) -> tuple[Mark, ...]:
    return tuple((mark.start, mark.end, mark.wrong) for mark in answer.marks)


TRAINING = Kind(
    name="training",
    summary="our own records (protos/judgestream/v1/training.proto: TrainingExample) in JSON",
    needs=(("exampleId", "example_id"),),
    convert=convert,
)
