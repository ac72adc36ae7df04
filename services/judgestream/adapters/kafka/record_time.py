"""Kafka's record timestamp, which any producer may set to anything."""

from datetime import UTC, datetime

from judgestream.core.limits import plausible


def record_time(milliseconds: int | float | None) -> datetime | None:
    """The moment, or None where there is none: missing, -1, before 1970, or outside the calendar.

    A producer that writes microseconds or nanoseconds lands outside it.
    """
    if milliseconds is None or milliseconds < 0:
        return None
    try:
        return plausible(datetime.fromtimestamp(milliseconds / 1000, UTC))
    except (ValueError, OverflowError, OSError):
        return None
