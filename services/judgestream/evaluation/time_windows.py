"""Tumbling windows of event time, and when one is complete. The watermark is an argument.

The watermark is the progress of event time: the largest plausible event time so far.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EARLIEST = datetime.min.replace(tzinfo=UTC)
LATEST = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, kw_only=True, slots=True)
class TimeWindow:
    """From `start` up to, not including, `end`; both UTC."""

    start: datetime
    end: datetime


def window_of(timestamp: datetime, size: timedelta) -> TimeWindow:
    """The window of this size that holds the timestamp. Windows are aligned to 1970-01-01T00:00Z.

    Any time that a `datetime` can hold has a window, before 1970 too; the calendar's first and last window
    are cut short where the calendar ends (the last one holds its own end).

    Raises:
        ValueError: the timestamp has no zone, or the size is not positive or beyond the calendar.
    """
    if not timedelta(0) < size <= LATEST - EARLIEST:
        raise ValueError(f"a window's size must be positive and within the calendar, not {size}")
    since = _aware(timestamp) - EPOCH
    first = since - since % size  # exact: a timedelta is a whole number of microseconds
    return TimeWindow(start=_calendar(first), end=_calendar(first + size))


def is_final(window: TimeWindow, watermark: datetime, allowed_lateness: timedelta) -> bool:
    """Whether the window is complete: the watermark is `allowed_lateness` past its end.

    A verdict for a final window is late. It still changes the counts, as a further revision.
    """
    return _aware(watermark) - window.end >= allowed_lateness


def _calendar(since: timedelta) -> datetime:
    """EPOCH + since, or the calendar's end where that lies beyond it."""
    try:
        return EPOCH + since
    except OverflowError:
        return LATEST if since > timedelta(0) else EARLIEST


def _aware(timestamp: datetime) -> datetime:
    if timestamp.tzinfo is None:
        raise ValueError(f"{timestamp.isoformat()} has no time zone: use UTC")
    return timestamp
