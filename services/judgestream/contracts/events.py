"""CloudEvents 1.0 in Kafka's binary mode: the headers that every record carries.

`ce_id`, `ce_source`, `ce_type`, `ce_specversion`, `ce_time` and `content-type`, plus the W3C trace headers
`traceparent` and `tracestate`, which pass through from a request to everything that comes of it.
"""

from collections.abc import Iterable
from datetime import UTC, datetime

PROTOBUF = "application/protobuf"
JSON = "application/json"
TRACE_HEADERS = ("traceparent", "tracestate")

Header = tuple[str, bytes]


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


def header(headers: Iterable[Header], name: str) -> str:
    """The header's text, or "" when it is missing or not UTF-8. Names compare without case."""
    for key, value in headers:
        if key.lower() == name:
            try:
                return value.decode()
            except UnicodeDecodeError:
                return ""
    return ""


def trace_headers(headers: Iterable[Header]) -> list[Header]:
    """The trace headers of a record, to be put on what comes of it."""
    return [(key.lower(), value) for key, value in headers if key.lower() in TRACE_HEADERS]


def event_time(headers: Iterable[Header]) -> datetime | None:
    """`ce_time`, or None when it is missing, malformed, or has no zone."""
    text = header(headers, "ce_time")
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time if time.tzinfo is not None else None
