"""Examples survive the topic, and the topic's field numbers never change."""

import json
from datetime import UTC, datetime

import pytest

from judgestream.contracts import events
from judgestream.contracts.topics import TRAINING
from judgestream.contracts.wire import decode, encode
from judgestream.core.errors import InvalidRequest
from judgestream.v1 import training_pb2 as pb
from judgestream_trainer.data.example import Example, Judgement
from judgestream_trainer.data.topic import example_from_message, example_to_message, json_line

NOON = datetime(2026, 1, 1, 12, 0, 0, 123456, tzinfo=UTC)
FULL = Example(
    id="e1",
    question="q\né",
    answers=("good", "bad"),
    systems=("atlas", ""),
    reference="",
    blind=Judgement(scores=(8, 2.5), explanation="w"),
    informed=Judgement(scores=(9, 0)),
    source="rows, line 1",
    group="g",
    marks=((), ((0, 3, True), (1, 2, False))),
)
BARE = Example(id="e2", question="q", answers=("a", "b"), blind=Judgement(scores=(0, 0)))


@pytest.mark.parametrize("content_type", [events.PROTOBUF, events.JSON])
@pytest.mark.parametrize("example", [FULL, BARE], ids=["full", "bare"])
def test_an_example_survives_the_wire(example: Example, content_type: str) -> None:
    message = example_to_message(example, labelled_at=NOON)
    assert message.labelled_at.ToDatetime(tzinfo=UTC) == NOON
    read = decode(pb.TrainingExample, encode(message, content_type), content_type)
    assert example_from_message(read) == example


def test_a_line_of_json_is_the_record_in_protobufs_mapping() -> None:
    line = json_line(BARE, labelled_at=NOON)
    assert line.endswith("}\n") and line.count("\n") == 1
    assert json.loads(line) == {
        "exampleId": "e2",
        "question": "q",
        "answers": [{"text": "a"}, {"text": "b"}],
        "blind": {"scores": [0.0, 0.0]},
        "labelledAt": "2026-01-01T12:00:00.123456Z",
    }


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ("example_id", "example_id is empty"),
        ("answers", "answers has 0 entries: give two"),
        ("blind", "no judgement"),
    ],
)
def test_an_incomplete_record_is_refused_with_the_field(field: str, message: str) -> None:
    record = example_to_message(BARE, labelled_at=NOON)
    record.ClearField(field)
    with pytest.raises(InvalidRequest, match=message):
        example_from_message(record)


def test_an_informed_judgement_needs_a_reference() -> None:
    record = example_to_message(FULL, labelled_at=NOON)
    record.ClearField("reference")
    with pytest.raises(InvalidRequest, match="'e1'.*informed judgement but no reference"):
        example_from_message(record)


def test_field_numbers_never_change() -> None:
    numbers = {
        name: {field.name: field.number for field in message.fields}
        for name, message in pb.DESCRIPTOR.message_types_by_name.items()
    }
    assert numbers == {
        "TrainingExample": {
            "example_id": 1,
            "question": 2,
            "answers": 3,
            "reference": 4,
            "blind": 5,
            "informed": 6,
            "source": 7,
            "group": 8,
            "labelled_at": 9,
        },
        "TrainingAnswer": {"text": 1, "system": 2, "marks": 3},
        "TrainingMark": {"start": 1, "end": 2, "wrong": 3},
        "TeacherJudgement": {"scores": 1, "explanation": 2},
    }


def test_the_topic_keeps_the_latest_record_of_each_example_permanently() -> None:
    assert TRAINING.config["cleanup.policy"] == "compact"
    assert (TRAINING.key, TRAINING.retention_ms) == ("example id", -1)
