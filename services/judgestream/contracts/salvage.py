"""The request id of a record that could not be decoded, so that whoever waits for it can be told."""

import json
import re

from judgestream.contracts.events import header
from judgestream.contracts.records import Record
from judgestream.core import limits

_FIELD = re.compile(r'"request_?[iI]d"\s*:\s*("(?:[^"\\]|\\.)*")')
_LOOKED_AT = 64 * limits.KIB


def request_id(record: Record) -> str:
    """The id that the bytes still show, else the `ce_id` header, else the key; "" when none is usable."""
    value = record.value or b""
    for found in (_in_json(value), _in_protobuf(value), header(record.headers, "ce_id")):
        if _usable(found):
            return found
    try:
        key = (record.key or b"").decode()
    except UnicodeDecodeError:
        return ""
    return key if _usable(key) else ""


def _usable(found: str) -> bool:
    return bool(found.strip()) and len(found.encode(errors="replace")) <= limits.ID


def _in_json(value: bytes) -> str:
    """The first field of that name in what may be half a JSON text."""
    start = value[:_LOOKED_AT]
    if not start:
        return ""
    match = _FIELD.search(start.decode(json.detect_encoding(start), errors="ignore"))
    try:
        found = str(json.loads(match[1])) if match else ""
        found.encode()
    except ValueError:  # a wrong escape, half a surrogate pair
        return ""
    return found


def _in_protobuf(value: bytes) -> str:
    """Field 1 of a message, when it stands first, as every serializer writes it."""
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
