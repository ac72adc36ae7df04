"""CloudEvents in structured mode: the record's JSON value is the whole event, attributes and data."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from judgestream.contracts.events import TRACE_HEADERS, Header, instant
from judgestream.core.limits import quoted

MEDIA_TYPE = "application/cloudevents"
BATCH = "application/cloudevents-batch"


class NotAnEvent(ValueError):
    """The envelope is invalid; the message says why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Envelope:
    """`data` is a JSON object, or the bytes of a `data_base64`, which `content_type` describes."""

    data: Mapping[str, Any] | bytes
    content_type: str = ""
    id: str = ""
    time: datetime | None = None
    trace: tuple[Header, ...] = ()


def is_envelope(fields: Mapping[str, Any]) -> bool:
    """Whether a JSON object is an event: no message of this project has these fields."""
    return "specversion" in fields and ("data" in fields or "data_base64" in fields)


def envelope(fields: Mapping[str, Any]) -> Envelope:
    """The event with these fields.

    Raises:
        NotAnEvent: another version, no data, both kinds of data, or data that is not a JSON object.
    """
    version = fields.get("specversion")
    if version != "1.0":
        raise NotAnEvent(f"specversion is {quoted(version)}: only CloudEvents 1.0 is supported")
    if ("data" in fields) == ("data_base64" in fields):
        raise NotAnEvent("the event needs either data or data_base64")
    return Envelope(
        data=_data(fields),
        content_type=_text(fields, "datacontenttype"),
        id=_text(fields, "id"),
        time=instant(_text(fields, "time")),
        trace=tuple(
            (name, fields[name].encode())
            for name in TRACE_HEADERS
            if isinstance(fields.get(name), str)
        ),
    )


def _data(fields: Mapping[str, Any]) -> Mapping[str, Any] | bytes:
    if "data" in fields:
        data = fields["data"]
        if isinstance(data, str):  # JSON text in a JSON string
            return data.encode()
        if not isinstance(data, Mapping):
            raise NotAnEvent("data must be a JSON object")
        return data
    try:
        return base64.b64decode(fields["data_base64"], validate=True)
    except (binascii.Error, ValueError, TypeError) as exc:
        raise NotAnEvent("data_base64 is not valid base64") from exc


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    return value if isinstance(value, str) else ""
