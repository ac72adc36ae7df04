"""Records of a newer version, read by this one: with fields, values and headers that it does not know."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given, settings
from hypothesis import strategies as st

from judgestream.adapters.kafka.consuming import Incoming
from judgestream.adapters.kafka.messages import decoded
from judgestream.adapters.kafka.rollout_topic import RolloutView
from judgestream.contracts.codecs.requests import request_from_message
from judgestream.contracts.codecs.rollouts import rollout_from_message
from judgestream.contracts.codecs.verdicts import verdict_from_message
from judgestream.contracts.events import PROTOBUF, event_time, trace_headers
from judgestream.contracts.records import Record
from judgestream.contracts.topics import REQUESTS, ROLLOUTS, TOPICS, VERDICTS, Topic
from judgestream.contracts.unknown_fields import LAST_ESSENTIAL, essential_unknown
from judgestream.contracts.wire import decode
from judgestream.core.errors import InvalidRequest
from judgestream.core.rollout.assignment import Outcome, from_text
from judgestream.v1 import rollout_pb2
from judgestream.v1.judging_pb2 import Candidate, JudgeOptions, JudgeRequest, Verdict
from tests.contracts.messages import messages

FIRST_FREE = 500
"""No message has a field of this number or a greater one."""


def parts(message: Message) -> Iterator[Message]:
    """The message and every message in it, times excepted: a time has no meaning that may change."""
    yield message
    for field, value in message.ListFields():
        if field.message_type is None or field.message_type is Timestamp.DESCRIPTOR:
            continue
        if not field.message_type.GetOptions().map_entry:
            for inner in value if field.is_repeated else [value]:
                yield from parts(inner)


def varint(value: int) -> bytes:
    done = bytearray()
    while value > 0x7F:
        done.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*done, value])


def unknown(number: int, content: int | bytes) -> bytes:
    """A field on the wire: a number, or bytes such as those of a text or a message."""
    if isinstance(content, int):
        return varint(number << 3) + varint(content)
    return varint(number << 3 | 2) + varint(len(content)) + content


contents = st.integers(0, 2**63) | st.binary(max_size=20)
essential = st.integers(FIRST_FREE, LAST_ESSENTIAL)
additional = st.integers(LAST_ESSENTIAL + 1, 2047)
topics = pytest.mark.parametrize("topic", TOPICS.values(), ids=TOPICS)


def with_unknown(data: st.DataObject, message: Message, numbers: st.SearchStrategy[int]) -> str:
    """Add an unknown field somewhere in the message. Returns the name of the part that has it."""
    part = data.draw(st.sampled_from(list(parts(message))))
    raw = unknown(data.draw(numbers), data.draw(contents))
    part.ParseFromString(part.SerializeToString() + raw)
    return part.DESCRIPTOR.name


@topics
@settings(max_examples=20)
@given(st.data())
def test_a_field_that_only_adds_is_ignored(topic: Topic, data: st.DataObject) -> None:
    plain = data.draw(messages(topic.record))
    newer = topic.record.FromString(plain.SerializeToString())
    with_unknown(data, newer, additional)
    found = decode(topic.record, newer.SerializeToString(), PROTOBUF)
    assert essential_unknown(found) == ""
    found.DiscardUnknownFields()
    assert found == plain


@topics
@settings(max_examples=20)
@given(st.data())
def test_a_field_that_may_change_the_meaning_keeps_a_record_out_of_every_count(
    topic: Topic, data: st.DataObject
) -> None:
    newer = data.draw(messages(topic.record))
    name = with_unknown(data, newer, essential)
    told: list[str] = []
    record = Record(
        topic=topic.name, partition=0, offset=7, time=None, key=b"k", value=b"", headers=()
    )
    assert list(decoded(iter([Incoming(record=record, message=newer)]), told.append)) == []
    assert len(told) == 1 and f"of {name} is unknown: a newer version wrote it" in told[0]


def test_every_field_of_ours_may_change_the_meaning_and_is_known() -> None:
    numbers = [
        field.number for topic in TOPICS.values() for field in topic.record.DESCRIPTOR.fields
    ]
    assert len(numbers) > 100 and max(numbers) < FIRST_FREE


REQUEST = JudgeRequest(
    request_id="r",
    question="q",
    candidates=[Candidate(id="a", text="x"), Candidate(id="b", text="y")],
    options=JudgeOptions(explain=True),
)


@given(st.data())
def test_a_request_with_an_unknown_option_is_not_judged_without_it(data: st.DataObject) -> None:
    newer = JudgeRequest.FromString(REQUEST.SerializeToString())
    name = with_unknown(data, newer, essential)
    with pytest.raises(InvalidRequest, match=f"of {name} is unknown.*upgrade the workers"):
        request_from_message(newer)


@given(st.data())
def test_a_request_with_an_additional_field_is_the_same_request(data: st.DataObject) -> None:
    newer = JudgeRequest.FromString(REQUEST.SerializeToString())
    with_unknown(data, newer, additional)
    assert request_from_message(newer) == request_from_message(REQUEST)


@pytest.mark.parametrize("name", ["orders", "reference_use", "focus"])
def test_an_unknown_value_of_an_option_is_not_taken_for_another(name: str) -> None:
    newer = JudgeRequest.FromString(REQUEST.SerializeToString())
    setattr(newer.options, name, 77)
    with pytest.raises(InvalidRequest, match="unknown option value 77.*upgrade the workers"):
        request_from_message(newer)


def verdict(**fields: Any) -> Verdict:
    return Verdict(verdict_id="v", request_id="r", status=Verdict.STATUS_SCORED, **fields)


def test_a_client_takes_a_verdict_with_any_unknown_field() -> None:
    newer = Verdict.FromString(verdict(winner="a").SerializeToString() + unknown(600, 1))
    assert verdict_from_message(decode(Verdict, newer.SerializeToString())).winner == "a"


@pytest.mark.parametrize("status", [Verdict.STATUS_UNSPECIFIED, 77], ids=["unspecified", "unknown"])
def test_an_unknown_status_is_not_taken_for_another(status: Any) -> None:
    for newer in (
        Verdict(verdict_id="v", request_id="r", status=status),
        verdict(members=[{"release": "m", "status": status}]),
    ):
        with pytest.raises(ValueError, match=f"status {status}.* is unknown"):
            verdict_from_message(newer)


def rollout(change: Callable[[rollout_pb2.Rollout], object]) -> tuple[RolloutView, str]:
    """The view after a sound state and a changed one of a newer version."""
    view, sound = (
        RolloutView(),
        rollout_pb2.Rollout(name="default", revision=1, epoch=1, instance="i"),
    )
    sound.releases.add(release="a", stage=rollout_pb2.STAGE_STABLE, step=rollout_pb2.STEP_READY)
    newer = rollout_pb2.Rollout.FromString(sound.SerializeToString())
    newer.revision = 2
    change(newer)
    for offset, message in enumerate([sound, newer]):
        record = Record(
            topic=ROLLOUTS.name,
            partition=0,
            offset=offset,
            time=None,
            key=b"default",
            value=b"",
            headers=(),
        )
        problem = view.take(Incoming(record=record, message=message))
    return view, problem


@pytest.mark.parametrize(
    "change",
    [
        lambda m: setattr(m.releases[0], "stage", 77),
        lambda m: setattr(m.releases[0], "step", 77),
        lambda m: m.releases[0].ParseFromString(
            m.releases[0].SerializeToString() + unknown(600, 1)
        ),
    ],
    ids=["stage", "step", "field"],
)
def test_a_route_that_is_not_understood_leaves_the_route_as_it_was(change: Any) -> None:
    view, problem = rollout(change)
    assert view.rollout.revision == 1
    assert "newer version" in problem


def test_an_unknown_action_in_the_history_does_not_hold_up_the_route() -> None:
    view, problem = rollout(
        lambda m: m.changes.add(
            revision=2,
            release="a",
            action="swap",
            after=rollout_pb2.STAGE_STABLE,
            step=rollout_pb2.STEP_READY,
        )
    )
    assert problem == ""
    assert view.rollout.revision == 2 and view.rollout.changes == ()


def test_an_additional_field_of_a_rollout_is_ignored() -> None:
    view, problem = rollout(lambda m: m.MergeFromString(unknown(1000, b"note")))
    assert (view.rollout.revision, problem) == (2, "")
    assert rollout_from_message(rollout_pb2.Rollout(revision=3)).revision == 3


def test_unknown_and_odd_headers_change_nothing() -> None:
    parent = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    known = [("traceparent", parent), ("ce_time", b"2026-11-25T00:00:00Z")]
    newer = [("x-next", b"\xff"), ("ce_next", None), *known, ("ce_specversion", b"2.0")]
    assert trace_headers(newer) == trace_headers(known) != []
    assert event_time(newer) == event_time(known) is not None


@pytest.mark.parametrize("topic", [one for one in TOPICS.values() if one is not REQUESTS], ids=str)
def test_an_unknown_json_field_of_a_service_is_ignored(topic: Topic) -> None:
    assert decode(topic.record, b'{"next": {"deep": [1]}}') == topic.record()


def test_an_unknown_json_status_is_not_taken_for_another() -> None:
    """The parser leaves the status at its unspecified zero, which no verdict has."""
    message = decode(
        VERDICTS.record, b'{"verdictId": "v", "requestId": "r", "status": "STATUS_NEXT"}'
    )
    assert isinstance(message, Verdict)
    with pytest.raises(ValueError, match="status 0 is unknown"):
        verdict_from_message(message)


def test_a_memory_of_a_newer_version_keeps_what_is_known_of_it() -> None:
    noon = "2026-11-25T12:00:00+00:00"
    rows = [["scored", "t|0|1", noon, "rel", "more"], ["next", "t|0|2", noon, "rel"]]
    first, second = from_text(json.dumps(rows))
    assert (first.place, first.outcome) == ("t|0|1", Outcome.SCORED)
    assert (second.place, second.outcome) == ("t|0|2", Outcome.ASSIGNED)


def test_known_parts_without_number_are_no_unknown_fields() -> None:
    assert essential_unknown(Verdict(scores=[{}] * 30_000)) == ""


@pytest.mark.parametrize(
    "content",
    [
        Verdict(scores=[{}] * 30_000).SerializeToString() + unknown(LAST_ESSENTIAL + 1, 1),
        unknown(LAST_ESSENTIAL + 1, 1) * 30_000,
    ],
)
def test_of_too_many_parts_to_look_at_an_unknown_field_is_not_ignored(content: bytes) -> None:
    """A record of 1 MiB can have 500,000: looking at all of them stopped a worker for seconds."""
    found = essential_unknown(Verdict.FromString(content))
    assert found == "a field among the many parts of Verdict"


@pytest.mark.parametrize(
    ("request_of_many", "problem"),
    [
        (JudgeRequest(candidates=[{}] * 101), "101 candidates; at most 100"),
        (
            JudgeRequest(images=[{}] * 5, candidates=[Candidate(images=[{}] * 4)]),
            "9 images; at most 8",
        ),
        (JudgeRequest(discussion=[{}] * 17), "discussion has 17 messages; at most 16"),
        (
            JudgeRequest(candidates=[{}, Candidate(turns=[{}] * 257)]),
            r"\[2\].turns has 257 messages",
        ),
        (JudgeRequest(rubric={"criteria": [{}] * 17}), "rubric has 17 criteria"),
    ],
)
def test_too_many_parts_are_refused_before_their_values_are_made(
    request_of_many: JudgeRequest, problem: str
) -> None:
    with pytest.raises(InvalidRequest, match=problem):
        request_from_message(request_of_many)
