"""Bytes <-> protobuf messages: protobuf by default, protobuf's JSON mapping by content type."""

from typing import TypeVar

from google.protobuf import json_format
from google.protobuf.message import DecodeError, Message

from judgestream.contracts.events import JSON, PROTOBUF
from judgestream.core.errors import UndecodableRecord

M = TypeVar("M", bound=Message)

_KNOWN = {
    PROTOBUF: PROTOBUF,
    "application/x-protobuf": PROTOBUF,
    "application/vnd.google.protobuf": PROTOBUF,
    "application/octet-stream": PROTOBUF,
    JSON: JSON,
    "text/json": JSON,
}


def encode(message: Message, content_type: str = PROTOBUF) -> bytes:
    """The message's bytes. JSON is compact and keeps no default values."""
    if content_type == JSON:
        return json_format.MessageToJson(message, indent=None, ensure_ascii=False).encode()
    return message.SerializeToString()


def decode(record: type[M], value: bytes | None, content_type: str = "") -> M:
    """A record's message.

    Without a content type a value that starts with `{` is JSON: no protobuf record of ours can start with
    that byte (it would be a group, which proto3 does not have). Unknown JSON fields are an error that
    names them; unknown protobuf fields are kept, as protobuf does.

    Raises:
        UndecodableRecord: no value, an unknown content type, or bytes that are no such message.
    """
    name = record.DESCRIPTOR.name
    if not value:
        raise UndecodableRecord(f"empty record: a {name} needs a body")
    kind = content_type.partition(";")[0].strip().lower()
    if kind.endswith("+json"):
        kind = JSON
    form = _KNOWN.get(kind) if kind else (JSON if value.lstrip()[:1] == b"{" else PROTOBUF)
    if form is None:
        raise UndecodableRecord(
            f"content-type {content_type!r} is unknown: send {PROTOBUF} or {JSON}"
        )
    message = record()
    try:
        if form == JSON:
            json_format.Parse(value, message)
        else:
            message.ParseFromString(value)
    except (json_format.ParseError, DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise UndecodableRecord(f"not a {name} in {form}: {exc}") from exc
    return message
