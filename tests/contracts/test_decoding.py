"""Decoding of records in every encoding, and the reasons for refusing one."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judgestream.contracts.topics import REQUESTS, TOPICS, Topic
from judgestream.contracts.wire import decode, decode_event, encode
from judgestream.core.errors import UndecodableRecord
from judgestream.v1.judging_pb2 import Candidate, JudgeRequest, Verdict

PLAIN = b'{"requestId": "r", "question": "q"}'
REQUEST = JudgeRequest(request_id="r", question="q")
EVENT = {
    "specversion": "1.0",
    "id": "e-1",
    "source": "/shop",
    "type": "judge.request.v1",
    "time": "2026-11-25T00:00:00Z",
    "datacontenttype": "application/json",
    "data": {"requestId": "r", "question": "q"},
}


def event(**changes: object) -> bytes:
    fields = {**EVENT, **changes}
    return json.dumps({k: v for k, v in fields.items() if v is not None}).encode()


READ = {
    "plain": (PLAIN, "application/json"),
    "without a content type": (PLAIN, ""),
    "with a parameter": (PLAIN, 'application/json; charset="UTF-8"'),
    "upper case": (PLAIN, " APPLICATION/JSON ;CHARSET=utf8"),
    "a +json type": (PLAIN, "application/vnd.shop.request+json"),
    "text": (PLAIN, "text/plain; charset=utf-8"),
    "binary data": (PLAIN, "application/octet-stream"),
    "anything": (PLAIN, "*/*"),
    "byte order mark": (b"\xef\xbb\xbf" + PLAIN, ""),
    "byte order mark and type": (b"\xef\xbb\xbf" + PLAIN, "application/json"),
    "UTF-16": (PLAIN.decode().encode("utf-16"), ""),
    "UTF-16 without a mark": (PLAIN.decode().encode("utf-16-be"), "application/json"),
    "UTF-32": (PLAIN.decode().encode("utf-32"), ""),
    "white space before": (b" \r\n\t" + PLAIN + b"\n", ""),
    "snake case": (b'{"request_id": "r", "question": "q"}', ""),
    "protobuf": (REQUEST.SerializeToString(), ""),
    "protobuf by name": (REQUEST.SerializeToString(), "Application/X-Protobuf; proto=x"),
    "protobuf as binary data": (REQUEST.SerializeToString(), "application/octet-stream"),
    "structured": (event(), "application/cloudevents+json; charset=UTF-8"),
    "structured by its look": (event(), ""),
    "structured as JSON": (event(), "application/json"),
    "structured, data a text": (event(data=PLAIN.decode()), "application/cloudevents+json"),
    "structured, no type of the data": (
        event(datacontenttype=None),
        "application/cloudevents+json",
    ),
    "structured, base64": (
        event(
            data=None,
            data_base64=base64.b64encode(REQUEST.SerializeToString()).decode(),
            datacontenttype="application/protobuf",
        ),
        "application/cloudevents+json",
    ),
}


@pytest.mark.parametrize("name", READ)
def test_a_record_is_read_in_each_of_its_forms(name: str) -> None:
    value, content_type = READ[name]
    assert decode(JudgeRequest, value, content_type) == REQUEST


def last_key_twice(count: int) -> bytes:
    keys = [*range(count), count - 1]
    return b"{" + b",".join(b'"k%d":1' % key for key in keys) + b"}"


REFUSED = {
    # looked for in linear time: a quadratic search would hold the worker for minutes
    "one key of many twice": (last_key_twice(80_000), "", "field 'k79999' is duplicated"),
    "a list": (b"[" + PLAIN + b"]", "", "a JSON list, not an object: send one object per record"),
    "null": (b"null", "application/json", "a JSON null"),
    "a key twice": (
        b'{"question": "a", "question": "b"}',
        "",
        "field 'question' is duplicated",
    ),
    "one key in two spellings": (
        b'{"requestId": "a", "request_id": "b"}',
        "",
        "'requestId' is duplicated",
    ),
    "an option in two spellings": (
        b'{"options": {"referenceUse": 1, "reference_use": 2}}',
        "",
        "'referenceUse' is duplicated",
    ),
    "NaN": (b'{"options": {"maxExplanationTokens": NaN}}', "", "NaN is not a JSON number"),
    "a number too large": (b'{"options": {"maxExplanationTokens": 1e999}}', "", "double precision"),
    "an int of many digits": (
        b'{"options": {"maxExplanationTokens": ' + b"9" * 5000 + b"}}",
        "",
        "not a JudgeRequest",
    ),
    "a negative number": (b'{"options": {"maxExplanationTokens": -1}}', "", "out of range: -1"),
    "a lone surrogate": (b'{"question": "\\ud83d"}', "", "lone surrogate"),
    "a lone surrogate as a key": (b'{"\\ud83d": "q"}', "", "lone surrogate"),
    "not UTF-8": (b'{"question": "\xff"}', "", "not UTF-8: byte 14"),
    "too deep": (b'{"a":' * 100_000, "", "nested too deeply"),
    "many candidates": (
        b'{"candidates": [' + b"{}," * 20_000 + b"{}]}",
        "",
        "field 'candidates' has 20001 entries; at most 10000",
    ),
    "metadata flood": (
        json.dumps({"metadata": {str(k): "" for k in range(10_001)}}).encode(),
        "",
        "field 'metadata' has 10001 entries",
    ),
    "an unknown option value": (b'{"options": {"orders": "ORDERS_ALL"}}', "", "ORDERS_ALL"),
    "a null in metadata": (b'{"metadata": {"a": null}}', "", "metadata"),
    "a misspelt field": (b'{"requestId": "r", "quesiton": "q"}', "", "quesiton"),
    "a misspelt option": (b'{"options": {"explian": true}}', "", "explian"),
    "protobuf that is not UTF-8": (b"\x0a\x02\xff\xfe", "", "application/protobuf"),
    "a schema registry's frame": (b"\0\0\0\0\1\0\x0a\1r", "", "framed for a schema registry"),
    "avro": (PLAIN, "application/avro", "unsupported content-type 'application/avro'"),
    "a long content type": (PLAIN, "x" * 900_000, "(900000 characters): use"),
    "a batch": (b"[]", "application/cloudevents-batch+json", "send one event per record"),
    "events in protobuf": (
        b"\x0a\1r",
        "application/cloudevents+protobuf",
        "unsupported content-type",
    ),
    "an old event": (
        event(specversion="0.3"),
        "application/cloudevents+json",
        "specversion is '0.3'",
    ),
    "no data": (event(data=None), "application/cloudevents+json", "either data or data_base64"),
    "both data": (
        event(data_base64=""),
        "application/cloudevents+json",
        "either data or data_base64",
    ),
    "data a number": (event(data=7), "application/cloudevents+json", "data must be a JSON object"),
    "not base64": (
        event(data=None, data_base64="?"),
        "application/cloudevents+json",
        "data_base64 is not valid base64",
    ),
    "XML inside": (event(datacontenttype="text/xml"), "application/cloudevents+json", "text/xml"),
    "an event within an event": (
        event(data=None, data_base64=base64.b64encode(event()).decode()),
        "application/cloudevents+json",
        "an event within an event",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_an_undecodable_record_is_refused_with_the_reason(name: str) -> None:
    value, content_type, reason = REFUSED[name]
    with pytest.raises(UndecodableRecord) as caught:
        decode(JudgeRequest, value, content_type)
    assert reason in str(caught.value)
    assert len(str(caught.value)) < 700, "an error never repeats a whole value"


def test_an_event_gives_its_time_id_and_trace() -> None:
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    found = decode_event(JudgeRequest, event(traceparent=parent), "").envelope
    assert found is not None and found.time is not None
    assert (found.id, found.time.isoformat()) == ("e-1", "2026-11-25T00:00:00+00:00")
    assert found.trace == (("traceparent", parent.encode()),)


@pytest.mark.parametrize("topic", TOPICS.values(), ids=TOPICS)
def test_an_unknown_field_is_refused_in_requests_and_ignored_elsewhere(topic: Topic) -> None:
    value = b'{"addedNextVersion": {"deep": [1]}}'
    if topic is REQUESTS:
        with pytest.raises(UndecodableRecord, match="addedNextVersion"):
            decode(topic.record, value)
    else:
        assert decode(topic.record, value) == topic.record()


@pytest.mark.parametrize("length", range(200))
def test_an_id_of_any_length_is_read_without_a_content_type(length: int) -> None:
    """A line feed is the tag of field 1, and the id's length may be the code of a brace."""
    message = JudgeRequest(request_id="x" * length, candidates=[Candidate(text="a")])
    assert decode(JudgeRequest, message.SerializeToString()) == message


@given(st.binary(max_size=300), st.sampled_from(["", "application/json", "application/protobuf"]))
def test_any_bytes_are_a_message_or_undecodable(value: bytes, content_type: str) -> None:
    for record in (JudgeRequest, Verdict):
        try:
            decode(record, value, content_type)
        except UndecodableRecord as exc:
            assert str(exc)


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=[]), max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
NAMES = st.sampled_from(
    [*(field.json_name for field in JudgeRequest.DESCRIPTOR.fields), "specversion", "data", "x"]
)


@given(st.dictionaries(NAMES, JSON_VALUES, max_size=6))
def test_any_json_is_a_message_or_undecodable(fields: dict[str, object]) -> None:
    try:
        decode(JudgeRequest, json.dumps(fields).encode())
    except UndecodableRecord as exc:
        assert str(exc) and len(str(exc)) < 700


TEXT = st.text(max_size=20)


@given(
    st.builds(
        JudgeRequest,
        request_id=TEXT,
        question=TEXT,
        candidates=st.lists(st.builds(Candidate, id=TEXT, text=TEXT), max_size=3),
        metadata=st.dictionaries(TEXT, TEXT, max_size=3),
    )
)
def test_every_request_round_trips_in_both_forms(message: JudgeRequest) -> None:
    for content_type in ("application/protobuf", "application/json"):
        value = encode(message, content_type)
        if value:
            assert decode(JudgeRequest, value, content_type) == message
            assert decode(JudgeRequest, value) == message, "and without a content type"
