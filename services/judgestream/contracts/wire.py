"""Encoding and decoding of messages: protobuf by default, or protobuf's JSON mapping.

A content type of protobuf, JSON or a structured CloudEvent determines the encoding, in any letter case and
with any parameters. Without a content type, or with a generic one (text, octet stream), the first bytes
determine it. Any other content type is an error.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Generic, TypeVar

from google.protobuf import json_format
from google.protobuf.message import DecodeError, Message

from judgestream.contracts import structured
from judgestream.contracts.events import JSON, PROTOBUF
from judgestream.contracts.json_text import NotJson, json_object, looks_like_json
from judgestream.contracts.structured import Envelope, NotAnEvent
from judgestream.contracts.topics import TOPICS
from judgestream.core.errors import UndecodableRecord
from judgestream.core.limits import quoted, shortened

M = TypeVar("M", bound=Message)

EVENT = f"{structured.MEDIA_TYPE}+json"
BY_LOOK = ""

_FORMS: Mapping[str, str] = MappingProxyType(
    {
        PROTOBUF: PROTOBUF,
        "application/x-protobuf": PROTOBUF,
        "application/vnd.google.protobuf": PROTOBUF,
        JSON: JSON,
        "text/json": JSON,
        EVENT: EVENT,
        "": BY_LOOK,
        "*/*": BY_LOOK,
        "text/plain": BY_LOOK,
        "application/octet-stream": BY_LOOK,
        "binary/octet-stream": BY_LOOK,
    }
)
_STRICT = {topic.record for topic in TOPICS.values() if topic.unknown_fields == "refuse"}
_REASON = 400
"""Length limit of a parser's message that an error repeats, in characters."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Decoded(Generic[M]):
    """A record's message, and its envelope if it is a structured event."""

    message: M
    envelope: Envelope | None = None


def encode(message: Message, content_type: str = PROTOBUF) -> bytes:
    """The message's bytes. JSON is compact and omits default values."""
    if content_type == JSON:
        return json_format.MessageToJson(message, indent=None, ensure_ascii=False).encode()
    return message.SerializeToString()


def decode(record: type[M], value: bytes | None, content_type: str = "") -> M:
    """A record's message.

    Unknown JSON fields are an error or ignored, as `Topic.unknown_fields` states. Unknown protobuf fields are
    kept, as protobuf does.

    Raises:
        UndecodableRecord: no value, an unknown content type, or bytes that are not such a message.
    """
    return decode_event(record, value, content_type).message


def decode_event(record: type[M], value: bytes | None, content_type: str = "") -> Decoded[M]:
    """`decode`, with the attributes of an event in structured mode."""
    name = record.DESCRIPTOR.name
    if not value:
        raise UndecodableRecord(f"empty record: a {name} needs a body")
    form = _form(content_type)
    if form == BY_LOOK:
        return _by_look(record, value)
    if form == PROTOBUF:
        return Decoded(message=_from_bytes(record, value))
    return _from_json(record, value, form)


def _by_look(record: type[M], value: bytes) -> Decoded[M]:
    if not looks_like_json(value):
        return Decoded(message=_from_bytes(record, value))
    try:
        return _from_json(record, value, JSON)
    except UndecodableRecord as as_json:
        if not value[:1].isspace():
            raise
        # in protobuf a line feed is the tag of field 1 as text, and "{" a length of 123 bytes
        try:
            return Decoded(message=_from_bytes(record, value))
        except UndecodableRecord:
            raise as_json from None


def _from_json(record: type[M], value: bytes, form: str) -> Decoded[M]:
    name = record.DESCRIPTOR.name
    try:
        fields = json_object(value)
        if form == EVENT or structured.is_envelope(fields):
            return _from_event(record, structured.envelope(fields))
    except (NotJson, NotAnEvent) as exc:
        raise UndecodableRecord(f"not a {name} in {form}: {exc}") from exc
    return Decoded(message=_from_fields(record, fields))


def _form(content_type: str) -> str:
    kind = content_type.partition(";")[0].strip().lower()
    form = _FORMS.get(kind)
    if form is not None:
        return form
    if kind.startswith(structured.BATCH):
        raise UndecodableRecord("a batch of CloudEvents in one record: send one event per record")
    if kind.endswith("+json") and not kind.startswith(structured.MEDIA_TYPE):
        return JSON
    raise UndecodableRecord(
        f"unsupported content-type {quoted(content_type)}: use {PROTOBUF} or {JSON}"
    )


def _from_event(record: type[M], event: Envelope) -> Decoded[M]:
    if isinstance(event.data, bytes):
        inner = decode_event(record, event.data, event.content_type)
        if inner.envelope is not None:
            raise NotAnEvent("an event within an event")
        return Decoded(message=inner.message, envelope=event)
    if _form(event.content_type) not in (JSON, BY_LOOK):
        raise NotAnEvent(f"data is a JSON object, datacontenttype {quoted(event.content_type)}")
    return Decoded(message=_from_fields(record, event.data), envelope=event)


def _from_bytes(record: type[M], value: bytes) -> M:
    message = record()
    try:
        message.ParseFromString(value)
    except (DecodeError, ValueError, RecursionError) as exc:
        # the serializer of a schema registry prefixes a byte 0, which is never a protobuf tag
        framed = value[0] == 0
        advice = " (is it framed for a schema registry? publish without its serializer)"
        raise UndecodableRecord(
            f"not a {record.DESCRIPTOR.name} in {PROTOBUF}: {shortened(str(exc), _REASON)}"
            f"{advice if framed else ''}"
        ) from exc
    return message


def _from_fields(record: type[M], fields: Mapping[str, Any]) -> M:
    message = record()
    if duplicate := _in_two_spellings(record.DESCRIPTOR, fields):
        raise UndecodableRecord(
            f"not a {record.DESCRIPTOR.name} in {JSON}: field {quoted(duplicate)} is duplicated"
        )
    try:
        json_format.ParseDict(dict(fields), message, ignore_unknown_fields=record not in _STRICT)
    except Exception as exc:  # not all exceptions of the parser are documented
        raise UndecodableRecord(
            f"not a {record.DESCRIPTOR.name} in {JSON}: {shortened(str(exc), _REASON)}"
        ) from exc
    return message


def _in_two_spellings(message: Any, fields: Mapping[str, Any]) -> str:
    """A field that is present as `request_id` and as `requestId`, of which the parser would ignore one.

    `message` is a descriptor.
    """
    for name, field in message.fields_by_name.items():
        if name != field.json_name and name in fields and field.json_name in fields:
            return str(field.json_name)
        value = fields.get(name, fields.get(field.json_name))
        if field.message_type is None or field.message_type.GetOptions().map_entry:
            continue
        for inner in value if isinstance(value, list) else [value]:
            if isinstance(inner, dict) and (
                duplicate := _in_two_spellings(field.message_type, inner)
            ):
                return duplicate
    return ""
