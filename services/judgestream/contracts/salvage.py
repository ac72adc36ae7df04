"""Recovery of the request id from a record that cannot be decoded, for its failed verdict."""

import json
import re

from judgestream.contracts.events import header
from judgestream.contracts.records import Record
from judgestream.core import limits

_FIELD = re.compile(r'"request_?[iI]d"\s*:\s*("(?:[^"\\]|\\.)*")')
_SEARCHED_BYTES = 64 * limits.KIB


def request_id(record: Record) -> str:
    """The id found in the bytes, else the `ce_id` header, else the key; "" if none is usable."""
    value = record.value or b""
    for candidate in (_in_json(value), _in_protobuf(value), header(record.headers, "ce_id")):
        if _usable(candidate):
            return candidate
    try:
        key = (record.key or b"").decode()
    except UnicodeDecodeError:
        return ""
    return key if _usable(key) else ""


def _usable(text: str) -> bool:
    return bool(text.strip()) and len(text.encode(errors="replace")) <= limits.ID


def _in_json(value: bytes) -> str:
    """The first `requestId` field in JSON text that may be incomplete."""
    start = value[:_SEARCHED_BYTES]
    if not start:
        return ""
    match = _FIELD.search(start.decode(json.detect_encoding(start), errors="ignore"))
    try:
        text = str(json.loads(match[1])) if match else ""
        text.encode()
    except ValueError:  # an invalid escape, a lone surrogate
        return ""
    return text


def _in_protobuf(value: bytes) -> str:
    """Field 1 of a message, if it comes first, as every serializer writes it."""
    if value[:1] != b"\x0a":
        return ""
    size = shift = 0
    for at, byte in enumerate(value[1:4], start=1):
        size |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            raw = value[at + 1 : at + 1 + size]
            break
    else:
        return ""
    try:
        return raw.decode() if len(raw) == size else ""
    except UnicodeDecodeError:
        return ""
