"""Headers as other producers write them: an invalid one is ignored."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from judgestream.contracts.codecs.times import moment, timestamp
from judgestream.contracts.events import (
    IncomingHeader,
    event_headers,
    event_time,
    header,
    trace_headers,
)

PARENT = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
EARLIEST_WEST = datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=1)))
LATEST_EAST = datetime(9999, 12, 31, 23, 59, 59, tzinfo=timezone(timedelta(hours=-1)))


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ([("content-type", b"a")], "a"),
        ([("Content-Type", b"a")], "a"),
        ([("content-type", None)], ""),
        ([("content-type", b"\xff")], ""),
        ([("content-type", b"a"), ("CONTENT-TYPE", b"b")], "b"),
        ([("content-type", b"a"), ("content-type", None), ("content-type", b"\xff")], "a"),
        ([("content\udcfftype", b"a")], ""),
        ([], ""),
    ],
)
def test_a_header_is_case_insensitive_and_its_last_valid_copy_is_used(
    headers: list[IncomingHeader], found: str
) -> None:
    assert header(headers, "content-type") == found


@pytest.mark.parametrize(
    ("text", "time"),
    [
        (b"2026-01-01T12:00:00Z", datetime(2026, 1, 1, 12, tzinfo=UTC)),
        (b"2026-01-01T12:00:00.123456789Z", datetime(2026, 1, 1, 12, 0, 0, 123456, tzinfo=UTC)),
        (b"2026-01-01T14:00:00+02:00", datetime(2026, 1, 1, 12, tzinfo=UTC)),
        (b"1970-01-01T00:00:00Z", datetime(1970, 1, 1, tzinfo=UTC)),
        (b"2026-01-01T12:00:00", None),  # a local time
        (b"2016-12-31T23:59:60Z", None),  # a leap second
        (b"0001-01-01T00:00:00Z", None),  # the zero time of Go and others
        (b"0001-01-01T00:00:00+01:00", None),
        (b"9999-12-31T23:59:59-01:00", None),
        (b"9999-12-31T23:59:59Z", None),
        (b"10000-01-01T00:00:00Z", None),
        (b"1969-12-31T23:59:59Z", None),
        (b"2026-02-30T12:00:00Z", None),
        (b"1764000000000", None),
        (b"yesterday", None),
        (b"", None),
        (b"\xff", None),
        (None, None),
        (b"9" * 1_000_000, None),
    ],
)
def test_an_invalid_event_time_is_ignored(text: bytes | None, time: datetime | None) -> None:
    assert event_time([("ce_time", text)]) == time


@pytest.mark.parametrize("time", [EARLIEST_WEST, LATEST_EAST])
def test_a_time_off_the_calendar_is_written_as_the_nearest_event_time(time: datetime) -> None:
    (stamp,) = [
        value
        for name, value in event_headers(event_type="t", event_id="i", source="s", time=time)
        if name == "ce_time"
    ]
    assert stamp in (b"1970-01-01T00:00:00.000Z", b"9999-01-01T00:00:00.000Z")
    assert timestamp(time).ToJsonString() in ("1970-01-01T00:00:00Z", "9999-01-01T00:00:00Z")


@pytest.mark.parametrize("seconds", [-(10**17), -1, 253402300799, 10**17])
def test_a_timestamp_off_the_calendar_is_a_value_error(seconds: int) -> None:
    stamp = timestamp(datetime(2026, 1, 1, tzinfo=UTC))
    stamp.seconds = seconds
    with pytest.raises(ValueError, match="between 1970 and 9998"):
        moment(stamp)


@pytest.mark.parametrize(
    ("headers", "passed"),
    [
        ([("TraceParent", PARENT)], [("traceparent", PARENT)]),
        (
            [("traceparent", PARENT), ("tracestate", b"a=1"), ("tracestate", b"b=2")],
            [("traceparent", PARENT), ("tracestate", b"a=1,b=2")],
        ),
        ([("traceparent", PARENT)] * 1000, [("traceparent", PARENT)]),
        ([("traceparent", PARENT), ("traceparent", PARENT.replace(b"0a", b"0b"))], []),
        ([("traceparent", PARENT), ("tracestate", b"x" * 513)], [("traceparent", PARENT)]),
        ([("traceparent", PARENT), ("tracestate", b"a=\xff")], [("traceparent", PARENT)]),
        ([("traceparent", PARENT), ("tracestate", None)], [("traceparent", PARENT)]),
        ([("traceparent", b"0" * 900_000)], []),
        ([("traceparent", PARENT + b"-more")], []),
        (
            [("traceparent", b"01" + PARENT[2:] + b"-more")],
            [("traceparent", b"01" + PARENT[2:] + b"-more")],
        ),
        ([("traceparent", b"ff" + PARENT[2:])], []),
        ([("traceparent", b"00-" + b"0" * 32 + PARENT[35:])], []),
        ([("traceparent", PARENT.upper())], []),
        ([("traceparent", None)], []),
        ([("tracestate", b"a=1")], []),
        ([("other", b"y")], []),
    ],
)
def test_only_a_well_formed_trace_is_propagated(
    headers: list[IncomingHeader], passed: list[IncomingHeader]
) -> None:
    assert trace_headers(headers) == passed
