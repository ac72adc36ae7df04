"""Records of every topic in both content types, and the consistency of the table of topics."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from google.protobuf import descriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from judgestream.contracts import events
from judgestream.contracts.codecs.labels import label_from_message, label_to_message
from judgestream.contracts.codecs.requests import request_from_message, request_to_message
from judgestream.contracts.codecs.verdicts import verdict_from_message, verdict_to_message
from judgestream.contracts.topics import MAX_REQUEST_BYTES, TOPICS, Topic
from judgestream.contracts.wire import decode, encode
from judgestream.core.errors import UndecodableRecord
from judgestream.core.transforms import STRAIGHT, SWAPPED
from judgestream.core.types import (
    Candidate,
    CandidateScore,
    Label,
    Options,
    Orders,
    PassResult,
    Reading,
    ReferenceUse,
    Reply,
    Request,
    Status,
    Unread,
    Unreadable,
    Verdict,
)
from judgestream.v1.judging_pb2 import JudgeRequest

NOON = datetime(2026, 1, 1, 12, 0, 0, 123456, tzinfo=UTC)
SCALARS = {
    descriptor.FieldDescriptor.CPPTYPE_STRING: "é\n",
    descriptor.FieldDescriptor.CPPTYPE_INT32: 7,
    descriptor.FieldDescriptor.CPPTYPE_INT64: 7,
    descriptor.FieldDescriptor.CPPTYPE_UINT32: 7,
    descriptor.FieldDescriptor.CPPTYPE_UINT64: 7,
    descriptor.FieldDescriptor.CPPTYPE_DOUBLE: 0.25,
    descriptor.FieldDescriptor.CPPTYPE_BOOL: True,
    descriptor.FieldDescriptor.CPPTYPE_ENUM: 1,
}


def message_class(kind: Any) -> type[Message]:
    return GetMessageClass(kind)


def filled(record: type[Message]) -> Message:
    """A message of this type with every field set."""
    message = record()
    for field in record.DESCRIPTOR.fields:
        target = getattr(message, field.name)
        if field.message_type and field.message_type.GetOptions().map_entry:
            value = field.message_type.fields_by_name["value"]
            target["k"] = SCALARS[value.cpp_type]
        elif field.is_repeated:
            if field.message_type:
                target.add().CopyFrom(filled(message_class(field.message_type)))
            else:
                target.append(SCALARS[field.cpp_type])
        elif field.message_type:
            if field.message_type.full_name == "google.protobuf.Timestamp":
                target.FromDatetime(NOON)
            else:
                target.CopyFrom(filled(message_class(field.message_type)))
        elif field.type == descriptor.FieldDescriptor.TYPE_BYTES:
            setattr(message, field.name, b"\x00\xff")
        else:
            setattr(message, field.name, SCALARS[field.cpp_type])
    return message


@pytest.mark.parametrize("content_type", [events.PROTOBUF, events.JSON])
@pytest.mark.parametrize("topic", TOPICS.values(), ids=TOPICS)
def test_every_record_round_trips(topic: Topic, content_type: str) -> None:
    message = filled(topic.record)
    value = encode(message, content_type)
    assert decode(topic.record, value, content_type) == message
    assert decode(topic.record, value) == message, "and without a content type"


def test_topic_names_have_one_form_and_record_sizes_fit() -> None:
    for name, topic in TOPICS.items():
        assert name.startswith("judge.") and name.endswith(".v1") and "_" not in name
        assert topic.event_type.startswith("judge.")
    assert TOPICS["judge.requests.v1"].max_message_bytes > MAX_REQUEST_BYTES
    largest = TOPICS["judge.requests.v1"].max_message_bytes
    assert TOPICS["judge.dlq.v1"].max_message_bytes > largest, "a dead letter holds a whole request"


@pytest.mark.parametrize(
    "content_type", ["application/json; charset=utf-8", "text/JSON", "application/x+json"]
)
def test_json_by_its_other_names(content_type: str) -> None:
    assert decode(JudgeRequest, b'{"request_id": "r"}', content_type).request_id == "r"


BAD = {
    "no body": (b"", ""),
    "not protobuf": (b"\xff\xff", ""),
    "not JSON": (b"{", ""),
    "not UTF-8": (b'{"requestId": "\xff"}', ""),
    "JSON of another shape": (b'{"candidates": 3}', ""),
    "content type unknown": (b"{}", "application/xml"),
    "JSON said to be protobuf": (b"{}", events.PROTOBUF),
    "deep nesting": (b'{"metadata":' * 5000, ""),
}


@pytest.mark.parametrize("name", BAD)
def test_invalid_records_are_undecodable(name: str) -> None:
    value, content_type = BAD[name]
    with pytest.raises(UndecodableRecord, match="JudgeRequest|content-type"):
        decode(JudgeRequest, value, content_type)


def test_an_unknown_json_field_is_named() -> None:
    with pytest.raises(UndecodableRecord, match="quesiton"):
        decode(JudgeRequest, b'{"quesiton": "?"}')


REQUEST = Request(
    request_id="r",
    mode="pairwise",
    question="q",
    candidates=(Candidate(id="a", text="x", system="m1"), Candidate(id="b", text="")),
    requested_at=NOON,
    reference="ref",
    options=Options(
        orders=Orders.STRAIGHT,
        reference_use=ReferenceUse.BOTH,
        explain=True,
        max_explanation_tokens=9,
    ),
    metadata={"k": "v"},
)
READING = Reading(
    means=(7.5, 3.25), greedy=(8.0, 3.0), win=0.75, tie=0.125, lose=0.125, outside=0.01
)
VERDICT = Verdict(
    verdict_id="v",
    request_id="r",
    mode="pairwise",
    status=Status.SCORED,
    requested_at=NOON,
    judged_at=NOON,
    winner="a",
    scores=(
        CandidateScore(candidate_id="a", score=7.5, system="m1", length=1),
        CandidateScore(candidate_id="b", score=None),
    ),
    p_win=0.75,
    p_tie=0.125,
    p_lose=0.125,
    confidence=0.75,
    flipped=False,
    explanation="e",
    passes=(
        PassResult(transform=STRAIGHT, reading=READING, reply=Reply(text="8 3", input_tokens=4)),
        PassResult(
            transform=SWAPPED,
            reading=Unreadable(reason=Unread.OUTSIDE_GRAMMAR, detail="0.3"),
            reply=Reply(text="?", finish_reason="length", latency_s=0.5),
        ),
    ),
    release="judgelm-0",
    checkpoint_digest="00",
    template_id="judgelm-v1",
    input_tokens=4,
    output_tokens=2,
    latency_s=0.5,
    attempts=2,
    metadata={"k": "v"},
)


def test_values_survive_the_wire() -> None:
    assert request_from_message(request_to_message(REQUEST), NOON) == REQUEST
    assert verdict_from_message(verdict_to_message(VERDICT)) == VERDICT
    label = Label(label_id="l", request_id="r", annotator="a1", labelled_at=NOON, tie=True)
    assert label_from_message(label_to_message(label)) == label


def test_a_request_with_only_ids_and_texts_gets_the_defaults() -> None:
    message = decode(
        JudgeRequest, b'{"requestId":"r","question":"q","candidates":[{"text":"x"},{"text":"y"}]}'
    )
    request = request_from_message(message, NOON)
    assert request.mode == "pairwise" and request.options == Options()
    assert [candidate.id for candidate in request.candidates] == ["1", "2"]
    assert request.requested_at == NOON and request.reference is None


def test_headers_follow_cloudevents_binary_mode() -> None:
    local = NOON.astimezone(timezone(timedelta(hours=2)))
    headers = events.event_headers(
        event_type="judge.verdict.v1",
        event_id="v",
        source="s",
        time=local,
        trace=[("traceparent", b"00-1")],
    )
    assert dict(headers) == {
        "ce_specversion": b"1.0",
        "ce_id": b"v",
        "ce_source": b"s",
        "ce_type": b"judge.verdict.v1",
        "ce_time": b"2026-01-01T12:00:00.123Z",
        "content-type": b"application/protobuf",
        "traceparent": b"00-1",
    }
    assert events.event_time(headers) == NOON.replace(microsecond=123000)


NOT_VERDICTS: dict[str, dict[str, object]] = {
    "no id": {"verdict_id": ""},
    "no request": {"request_id": " "},
    "no status": {"status": 0},
    "a newer status": {"status": 9},
    "winner and tie": {"tie": True},
    "probability not a number": {"p_win": float("nan")},
    "probability of 7": {"p_tie": 7.0},
    "confidence below 0": {"confidence": -0.5},
}


@pytest.mark.parametrize("name", NOT_VERDICTS)
def test_an_invalid_verdict_is_a_value_error(name: str) -> None:
    message = verdict_to_message(VERDICT)
    for field, value in NOT_VERDICTS[name].items():
        setattr(message, field, value)
    with pytest.raises(ValueError, match=r"\w+ .*\w+"):
        verdict_from_message(message)


def test_an_infinite_score_and_a_time_off_the_calendar_are_value_errors() -> None:
    score, time = (verdict_to_message(VERDICT) for _ in range(2))
    score.passes[0].means[0] = float("inf")
    time.requested_at.seconds = -(10**12)
    for message in (score, time):
        with pytest.raises(ValueError, match=r"finite|between 1970"):
            verdict_from_message(message)


def test_an_unknown_reason_for_a_missing_reading_is_read_as_other() -> None:
    message = verdict_to_message(VERDICT)
    message.passes[1].unreadable = "added_next_version"
    reading = verdict_from_message(message).passes[1].reading
    assert isinstance(reading, Unreadable) and reading.reason is Unread.OTHER


def test_counts_out_of_range_are_clipped() -> None:
    odd = replace(VERDICT, input_tokens=-1, output_tokens=1 << 40)
    message = verdict_to_message(odd)
    assert (message.input_tokens, message.output_tokens) == (0, 0xFFFFFFFF)
