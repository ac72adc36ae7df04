"""CloudEvents 1.0 in Kafka's binary mode: the headers that every record carries.

`ce_id`, `ce_source`, `ce_type`, `ce_specversion`, `ce_time` and `content-type`, plus the W3C trace headers
`traceparent` and `tracestate`, which pass through from a request to everything that comes of it.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime

from judgestream.core.limits import EARLIEST, LATEST, clean, plausible

PROTOBUF = "application/protobuf"
JSON = "application/json"
TRACE_HEADERS = TRACE_PARENT, TRACE_STATE = ("traceparent", "tracestate")
TRACE_PARENT_BYTES = 55
"""Of version 00; a later version may have more."""
TRACE_PARENT_MOST = 256
TRACE_STATE_MOST = 512
"""The standard asks for at least 512 bytes to be passed on."""

_PARENT = re.compile(rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(?:-[ -~]*)?")
_PRINTABLE = re.compile(rb"[ -~]*")

Header = tuple[str, bytes]
IncomingHeader = tuple[str, bytes | None]
"""As Kafka delivers it: a header's value may be null."""


def event_headers(
    *,
    event_type: str,
    event_id: str,
    source: str,
    time: datetime,
    content_type: str = PROTOBUF,
    trace: Iterable[Header] = (),
) -> list[Header]:
    """The headers of one record. `time` must carry a zone."""
    stamp = _utc(time).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return [
        ("ce_specversion", b"1.0"),
        ("ce_id", clean(event_id).encode()),
        ("ce_source", source.encode()),
        ("ce_type", event_type.encode()),
        ("ce_time", stamp.encode()),
        ("content-type", content_type.encode()),
        *trace,
    ]


def _utc(time: datetime) -> datetime:
    """A time that leaves the calendar on its way to UTC becomes the nearest event time there is."""
    try:
        return time.astimezone(UTC)
    except OverflowError:
        return EARLIEST if time.year < EARLIEST.year else LATEST


def header(headers: Iterable[IncomingHeader], name: str) -> str:
    """The header's text, or "" when it is missing, null or not UTF-8. Names compare without case.

    Of several copies the last readable one counts, as in Kafka's own clients.
    """
    found = ""
    for key, value in headers:
        if value is not None and key.lower() == name:
            try:
                found = value.decode()
            except UnicodeDecodeError:
                continue
    return found


def trace_headers(headers: Iterable[IncomingHeader]) -> list[Header]:
    """The trace headers of a record, to be put on what comes of it: only those that are well-formed.

    As W3C Trace Context has it: a `traceparent` that is malformed counts as not there, and `tracestate`
    without one as well. Several `tracestate` headers are one list.
    """
    known = [(key.lower(), value) for key, value in headers if value is not None]
    parents = {
        value for key, value in known if key == TRACE_PARENT and len(value) <= TRACE_PARENT_MOST
    }
    parent = parents.pop() if len(parents) == 1 else b""
    match = _PARENT.fullmatch(parent)
    if match is None or not int(match[2], 16) or not int(match[3], 16):
        return []
    if match[1] == b"ff" or (match[1] == b"00" and len(parent) != TRACE_PARENT_BYTES):
        return []
    state = b",".join(value.strip() for key, value in known if key == TRACE_STATE and value.strip())
    if not state or len(state) > TRACE_STATE_MOST or not _PRINTABLE.fullmatch(state):
        return [(TRACE_PARENT, parent)]
    return [(TRACE_PARENT, parent), (TRACE_STATE, state)]


def event_time(headers: Iterable[IncomingHeader]) -> datetime | None:
    """`ce_time` in UTC, or None when it is missing, malformed, has no zone, or is off the calendar."""
    return instant(header(headers, "ce_time"))


def instant(text: str) -> datetime | None:
    """An ISO 8601 time with a zone as UTC, or None when the text is not one.

    The zero time of other languages (year 1) and anything else before 1970 or after 9998 is not a time.
    """
    try:
        time = datetime.fromisoformat(text)
        return plausible(time.astimezone(UTC)) if time.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None
