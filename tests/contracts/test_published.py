"""The record of each published message: topic, key, headers, and what is refused before it is sent."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from judgestream.contracts.events import JSON, header
from judgestream.contracts.outgoing import outgoing
from judgestream.contracts.published import (
    dead_letter_record,
    label_record,
    request_record,
    verdict_record,
)
from judgestream.contracts.records import RECORD_KEY, Record, dead_letter, smallest
from judgestream.contracts.topics import DEAD_LETTERS, LABELS, REQUESTS, VERDICTS
from judgestream.contracts.verdict_json import verdict_with_request
from judgestream.contracts.wire import decode
from judgestream.core import limits
from judgestream.core.errors import InvalidRequest, OversizeRecord, UndecodableRecord, UnknownMode
from judgestream.core.types import Label
from judgestream.v1.judging_pb2 import DeadLetter, JudgeRequest, Verdict
from tests.core.build import NOON, request, verdict

TRACE = ("traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
LABEL = Label(label_id="l", request_id="r1", annotator="h", labelled_at=NOON, winner="a")


def test_a_request_is_keyed_by_its_id_and_carries_its_trace_and_time() -> None:
    record = request_record(request(), trace=[TRACE, ("tracestate", b"x=1"), ("other", b"1")])
    assert (record.topic, record.key) == (REQUESTS.name, b"r1")
    assert header(record.headers, "ce_time") == "2026-01-02T12:00:00.000Z"
    assert header(record.headers, "ce_source") == "judgestream/client"
    assert record.headers[-2:] == [TRACE, ("tracestate", b"x=1")]
    assert decode(JudgeRequest, record.value, "application/protobuf").request_id == "r1"


def test_a_malformed_trace_is_left_out() -> None:
    record = request_record(request(), trace=[("traceparent", b"00-0-0-01")])
    assert header(record.headers, "traceparent") == ""


def test_a_request_that_a_worker_would_refuse_is_not_encoded() -> None:
    with pytest.raises(UnknownMode, match="'r1'"):
        request_record(request(mode="triple"))
    with pytest.raises(OversizeRecord, match="request 'r1' has .* as application/json"):
        request_record(request(answers=("x" * (limits.TEXT - 9), "b")), content_type=JSON)


def test_a_label_needs_a_winner_or_a_tie() -> None:
    record = label_record(LABEL, now=NOON)
    assert (record.topic, record.key) == (LABELS.name, b"r1")
    assert header(record.headers, "ce_id") == "l"
    with pytest.raises(InvalidRequest, match="label 'l': has neither a winner nor a tie"):
        label_record(replace(LABEL, winner=""), now=NOON)


def test_a_verdict_is_keyed_by_its_request() -> None:
    record = verdict_record(verdict(winner="a"), source="s", content_type=JSON, trace=[TRACE])
    assert (record.topic, record.key) == (VERDICTS.name, b"r1")
    assert header(record.headers, "ce_id") == "v1"
    assert decode(Verdict, record.value, JSON).winner == "a"


def letter_of(record: Record) -> DeadLetter:
    return dead_letter(
        record,
        UndecodableRecord("why"),
        attempts=1,
        first_failed_at=NOON,
        now=NOON,
        group="g",
        request_id="r1",
    )


RECORD = Record(
    topic="t",
    partition=3,
    offset=7,
    time=NOON,
    key=b"k" * (RECORD_KEY + 1),
    value=b"v",
    headers=(("h", None), ("i", b"1")),
)


def test_a_dead_letter_keeps_the_record_whole_and_its_key() -> None:
    letter = letter_of(RECORD)
    assert (letter.key, letter.value, list(letter.cut)) == (RECORD.key, b"v", [])
    assert [(h.key, h.HasField("value")) for h in letter.headers] == [("h", False), ("i", True)]
    assert letter.recorded_at.ToDatetime(UTC) == NOON
    record = dead_letter_record(letter, source="s")
    assert record.topic == DEAD_LETTERS.name
    assert record.key == b"k" * RECORD_KEY
    assert header(record.headers, "ce_id") == letter.dead_letter_id


def test_a_dead_letter_of_a_huge_record_fits_its_topic_and_names_what_was_cut() -> None:
    huge = replace(
        RECORD,
        key=b"k" * limits.MIB,
        value=b"v" * (4 * limits.MIB),
        headers=(("small", b"1"), ("large", b"x" * limits.MIB)),
        time=None,
    )
    letter = letter_of(huge)
    assert sorted(letter.cut) == ["headers", "key", "value"]
    assert letter.value_bytes == 4 * limits.MIB
    assert [h.key for h in letter.headers] == ["small"]
    assert not letter.HasField("recorded_at")
    assert dead_letter_record(letter, source="s").size <= DEAD_LETTERS.max_message_bytes
    assert smallest(letter).ByteSize() < 2000
    assert sorted(smallest(letter).cut) == ["headers", "key", "value"]


def test_the_smallest_dead_letter_still_names_the_record() -> None:
    letter = smallest(letter_of(RECORD))
    assert (letter.topic, letter.partition, letter.offset) == ("t", 3, 7)
    assert (letter.value, list(letter.headers), len(letter.key)) == (b"", [], limits.ID)
    assert letter.value_bytes == 1
    bare = letter_of(replace(RECORD, key=None, value=None, headers=()))
    assert smallest(bare) == bare
    assert dead_letter_record(bare, source="s").key is None


def test_a_message_of_another_topic_is_a_programming_error() -> None:
    with pytest.raises(TypeError, match="takes Verdict, not JudgeRequest"):
        outgoing(
            VERDICTS,
            JudgeRequest(),
            key=None,
            event_id="e",
            source="s",
            time=datetime.now(UTC),
        )


def test_a_record_beyond_the_topics_limit_is_refused_with_its_id() -> None:
    long = Verdict(verdict_id="v", explanation="x" * VERDICTS.max_message_bytes)
    with pytest.raises(OversizeRecord, match="verdict 'e' makes a record of"):
        outgoing(VERDICTS, long, key=None, event_id="e", source="s", time=NOON)


def test_a_verdict_with_its_request_is_one_json_object() -> None:
    message = Verdict(verdict_id="v")
    assert verdict_with_request(message, None) == {"verdictId": "v", "request": None}
    both = verdict_with_request(message, request())
    assert both["request"]["requestId"] == "r1"
