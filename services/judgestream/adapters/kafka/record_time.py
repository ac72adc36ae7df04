"""Kafka's record timestamp, which a producer may set to any value."""

from datetime import UTC, datetime

from judgestream.core.limits import plausible


def record_time(milliseconds: int | float | None) -> datetime | None:
    """The time; None where it is missing, -1, before 1970, or outside the calendar.

    Timestamps in microseconds or nanoseconds are outside the calendar.
    """
    if milliseconds is None or milliseconds < 0:
        return None
    try:
        return plausible(datetime.fromtimestamp(milliseconds / 1000, UTC))
    except (ValueError, OverflowError, OSError):
        return None
