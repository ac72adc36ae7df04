"""Windows of event time, and when one is complete. Clocks are arguments.

The watermark is the progress of event time: nothing older is expected from any partition that is active.
Hopping windows overlap: each consists of panes, the tumbling windows of the hop's size.
"""

from collections.abc import Iterable
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


def windows_over(pane: TimeWindow, size: timedelta, hop: timedelta) -> list[TimeWindow]:
    """The windows of this size that contain the pane, oldest first. Windows start every `hop`.

    Raises:
        ValueError: the size is not a multiple of the hop.
    """
    return [
        TimeWindow(start=_calendar(start), end=_calendar(start + size))
        for k in reversed(range(_panes(size, hop)))
        for start in (pane.start - EPOCH - k * hop,)
    ]


def panes_of(window: TimeWindow, hop: timedelta) -> list[TimeWindow]:
    """The panes of a window, oldest first."""
    size = window.end - window.start
    return [
        TimeWindow(start=window.start + k * hop, end=window.start + (k + 1) * hop)
        for k in range(_panes(size, hop))
    ]


def _panes(size: timedelta, hop: timedelta) -> int:
    if not timedelta(0) < hop <= size or size % hop:
        raise ValueError(f"a window of {size} must be a multiple of its hop, not of {hop}")
    return size // hop


@dataclass(frozen=True, kw_only=True, slots=True)
class PartitionProgress:
    """How far one partition has been read.

    reached   the largest event time that it has delivered; None before the first record
    quiet     time since it delivered a record; None if it never did
    lag       records on it that are not read yet
    """

    reached: datetime | None
    quiet: timedelta | None
    lag: int


def watermark(
    partitions: Iterable[PartitionProgress], *, idle: timedelta, now: datetime
) -> datetime | None:
    """The least event time that the active partitions have reached, at most `now`.

    A partition is active while it has lag, or has delivered a record within `idle`. Others hold nothing back.
    `now` where none is active. None while an active partition, or all together, have delivered nothing.
    """
    every = list(partitions)
    active = [one for one in every if one.lag or (one.quiet is not None and one.quiet < idle)]
    reached = [one.reached for one in active if one.reached is not None]
    if len(reached) < len(active) or all(one.reached is None for one in every):
        return None
    return min((now, *reached))


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
