"""CloudEvents 1.0 in Kafka's binary mode: the headers of every record.

`ce_id`, `ce_source`, `ce_type`, `ce_specversion`, `ce_time` and `content-type`, plus the W3C trace headers
`traceparent` and `tracestate`. A verdict or dead letter has those of its request, or of the span that sends
it if the worker traces the request. The `cloudevents` library is not used: it writes the trace context as
`ce_` attributes and bounds no id or time.
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
MAX_TRACE_PARENT_BYTES = 256
MAX_TRACE_STATE_BYTES = 512
"""The standard requires that at least 512 bytes are propagated."""

_PARENT = re.compile(rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(?:-[ -~]*)?")
_PRINTABLE = re.compile(rb"[ -~]*")

Header = tuple[str, bytes]
IncomingHeader = tuple[str, bytes | None]
"""As Kafka delivers it: the value may be null."""


def event_headers(
    *,
    event_type: str,
    event_id: str,
    source: str,
    time: datetime,
    content_type: str = PROTOBUF,
    trace: Iterable[Header] = (),
) -> list[Header]:
    """The headers of one record. `time` must have a time zone."""
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
    """A time that is off the calendar in UTC becomes the nearest valid event time."""
    try:
        return time.astimezone(UTC)
    except OverflowError:
        return EARLIEST if time.year < EARLIEST.year else LATEST


def header(headers: Iterable[IncomingHeader], name: str) -> str:
    """The header's text, or "" if it is missing, null or not UTF-8. Names are case-insensitive.

    If there are several, the last valid one is used, as in Kafka's own clients.
    """
    text = ""
    for key, value in headers:
        if value is not None and key.lower() == name:
            try:
                text = value.decode()
            except UnicodeDecodeError:
                continue
    return text


def trace_headers(headers: Iterable[IncomingHeader]) -> list[Header]:
    """The well-formed trace headers of a record, to be copied to its verdict or dead letter.

    By W3C Trace Context a malformed `traceparent` is ignored, and so is `tracestate` without a valid
    `traceparent`. Several `tracestate` headers are joined into one list.
    """
    known = [(key.lower(), value) for key, value in headers if value is not None]
    parents = {
        value
        for key, value in known
        if key == TRACE_PARENT and len(value) <= MAX_TRACE_PARENT_BYTES
    }
    parent = parents.pop() if len(parents) == 1 else b""
    match = _PARENT.fullmatch(parent)
    if match is None or not int(match[2], 16) or not int(match[3], 16):
        return []
    if match[1] == b"ff" or (match[1] == b"00" and len(parent) != TRACE_PARENT_BYTES):
        return []
    state = b",".join(value.strip() for key, value in known if key == TRACE_STATE and value.strip())
    if not state or len(state) > MAX_TRACE_STATE_BYTES or not _PRINTABLE.fullmatch(state):
        return [(TRACE_PARENT, parent)]
    return [(TRACE_PARENT, parent), (TRACE_STATE, state)]


def event_time(headers: Iterable[IncomingHeader]) -> datetime | None:
    """`ce_time` in UTC, or None if it is missing, malformed, without a time zone or implausible."""
    return instant(header(headers, "ce_time"))


def instant(text: str) -> datetime | None:
    """An ISO 8601 time with a time zone, in UTC; None for any other text.

    Times before 1970 and after 9998 are rejected, such as the zero time of other languages (year 1).
    """
    try:
        time = datetime.fromisoformat(text)
        return plausible(time.astimezone(UTC)) if time.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None
