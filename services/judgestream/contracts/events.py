"""CloudEvents 1.0 in Kafka's binary mode: the headers that every record carries.

`ce_id`, `ce_source`, `ce_type`, `ce_specversion`, `ce_time` and `content-type`, plus the W3C trace headers
`traceparent` and `tracestate`, which pass through from a request to everything that comes of it.
"""

from collections.abc import Iterable
from datetime import UTC, datetime

from judgestream.core.limits import plausible

PROTOBUF = "application/protobuf"
JSON = "application/json"
TRACE_HEADERS = ("traceparent", "tracestate")

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
    stamp = time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return [
        ("ce_specversion", b"1.0"),
        ("ce_id", event_id.encode()),
        ("ce_source", source.encode()),
        ("ce_type", event_type.encode()),
        ("ce_time", stamp.encode()),
        ("content-type", content_type.encode()),
        *trace,
    ]


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
    """The trace headers of a record, to be put on what comes of it."""
    return [
        (key.lower(), value)
        for key, value in headers
        if value is not None and key.lower() in TRACE_HEADERS
    ]


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
