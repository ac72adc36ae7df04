"""Tumbling windows of event time, by hand and for any instant, size and zone."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judgestream.evaluation.time_windows import (
    EARLIEST,
    EPOCH,
    LATEST,
    PartitionProgress,
    TimeWindow,
    is_final,
    panes_of,
    watermark,
    window_of,
    windows_over,
)

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
TICK = timedelta(microseconds=1)


def at(hour: int, minute: int = 0, second: int = 0) -> datetime:
    return datetime(2026, 3, 1, hour, minute, second, tzinfo=UTC)


NOON = TimeWindow(start=at(12), end=at(13))


@pytest.mark.parametrize(
    ("timestamp", "window"),
    [
        (at(12), NOON),  # the start belongs to it
        (at(12, 59, 59), NOON),
        (at(13) - TICK, NOON),
        (at(13), TimeWindow(start=at(13), end=at(14))),  # the end does not
        (datetime(2026, 3, 1, 14, 30, tzinfo=timezone(timedelta(hours=2))), NOON),  # 12:30 UTC
        (EPOCH, TimeWindow(start=EPOCH, end=EPOCH + HOUR)),
        (EPOCH - TICK, TimeWindow(start=EPOCH - HOUR, end=EPOCH)),  # before 1970: rounds down, too
    ],
)
def test_windows_of_an_hour(timestamp: datetime, window: TimeWindow) -> None:
    assert window_of(timestamp, HOUR) == window


def test_windows_are_utc_whatever_zone_the_event_came_in() -> None:
    found = window_of(datetime(2026, 3, 1, 23, 0, tzinfo=timezone(timedelta(hours=-5))), HOUR)
    assert (found.start.tzinfo, found.end.tzinfo) == (UTC, UTC)


def test_a_size_that_does_not_divide_the_day_is_aligned_to_the_epoch() -> None:
    # 7 h windows: 1970-01-02T00:00Z is 24 h after the epoch, in the window from 21 h to 28 h
    found = window_of(EPOCH + timedelta(hours=24), timedelta(hours=7))
    assert found == TimeWindow(start=EPOCH + timedelta(hours=21), end=EPOCH + timedelta(hours=28))


SIZES = st.timedeltas(min_value=TICK, max_value=timedelta(days=400))
INSTANTS = st.datetimes(timezones=st.just(UTC))


@given(when=INSTANTS, size=SIZES)
def test_every_instant_is_in_exactly_one_window(when: datetime, size: timedelta) -> None:
    found = window_of(when, size)
    assert found.start <= when <= found.end
    assert when < found.end or found.end == LATEST
    whole = EARLIEST < found.start and found.end < LATEST
    if not whole:  # cut short where the calendar ends
        return
    assert found.end - found.start == size
    assert (found.start - EPOCH) % size == timedelta(0)
    assert window_of(found.start, size) == found
    assert window_of(found.start - TICK, size).end == found.start
    assert window_of(found.end, size).start == found.end


@given(when=INSTANTS, size=SIZES, minutes=st.integers(-14 * 60, 14 * 60))
def test_the_window_does_not_depend_on_the_zone(
    when: datetime, size: timedelta, minutes: int
) -> None:
    zone = timezone(timedelta(minutes=minutes))
    try:
        shown = when.astimezone(zone)
    except OverflowError:  # the calendar ends in that zone
        return
    assert window_of(shown, size) == window_of(when, size)


@given(
    window=st.builds(window_of, INSTANTS, SIZES),
    earlier=INSTANTS,
    later=INSTANTS,
    lateness=st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=400)),
)
def test_a_final_window_stays_final_as_the_watermark_advances(
    window: TimeWindow, earlier: datetime, later: datetime, lateness: timedelta
) -> None:
    first, second = sorted((earlier, later))
    assert is_final(window, second, lateness) or not is_final(window, first, lateness)


@pytest.mark.parametrize(
    "timestamp",
    [
        EARLIEST,
        LATEST,
        datetime.min.replace(tzinfo=timezone(timedelta(hours=14))),  # before the year 1 in UTC
        datetime.max.replace(tzinfo=timezone(timedelta(hours=-12))),  # after the year 9999 in UTC
    ],
)
@pytest.mark.parametrize("size", [TICK, HOUR, timedelta(days=7), LATEST - EARLIEST])
def test_the_calendars_ends_have_windows(timestamp: datetime, size: timedelta) -> None:
    found = window_of(timestamp, size)
    assert EARLIEST <= found.start <= found.end <= LATEST
    assert found.end - found.start <= size


@pytest.mark.parametrize("size", [timedelta(0), -HOUR, timedelta.max])
def test_a_size_must_be_positive_and_fit_the_calendar(size: timedelta) -> None:
    with pytest.raises(ValueError, match="size"):
        window_of(at(12), size)


def test_a_time_without_a_zone_is_refused() -> None:
    naive = datetime(2026, 3, 1, 12)  # noqa: DTZ001 - the mistake under test
    with pytest.raises(ValueError, match="time zone"):
        window_of(naive, HOUR)
    with pytest.raises(ValueError, match="time zone"):
        is_final(NOON, naive, MINUTE)


@pytest.mark.parametrize(
    ("watermark", "final"),
    [
        (at(12, 30), False),
        (at(13), False),
        (at(13, 5) - TICK, False),
        (at(13, 5), True),  # the allowance has just run out
        (LATEST, True),
        (EARLIEST, False),
    ],
)
def test_final_once_the_watermark_has_passed_the_allowance(
    watermark: datetime, final: bool
) -> None:
    assert is_final(NOON, watermark, 5 * MINUTE) is final


def test_without_lateness_a_window_is_final_at_its_end() -> None:
    assert is_final(NOON, at(13), timedelta(0))
    assert not is_final(NOON, at(13) - TICK, timedelta(0))


def test_the_last_window_of_the_calendar_can_be_asked_about() -> None:
    last = window_of(LATEST, HOUR)
    assert not is_final(last, LATEST, timedelta.max)


def test_hopping_windows_overlap_and_consist_of_their_panes() -> None:
    pane = window_of(at(12, 25), 10 * MINUTE)
    over = windows_over(pane, 30 * MINUTE, 10 * MINUTE)
    assert [(one.start, one.end) for one in over] == [
        (at(12, 0), at(12, 30)),
        (at(12, 10), at(12, 40)),
        (at(12, 20), at(12, 50)),
    ]
    assert all(pane in panes_of(one, 10 * MINUTE) for one in over)
    assert windows_over(NOON, HOUR, HOUR) == panes_of(NOON, HOUR) == [NOON]
    with pytest.raises(ValueError, match="multiple"):
        windows_over(pane, 25 * MINUTE, 10 * MINUTE)


NOW = at(14)
IDLE = 5 * MINUTE


def partition(
    reached: datetime | None, *, quiet_minutes: float | None = 0, lag: int = 0
) -> PartitionProgress:
    quiet = None if quiet_minutes is None else quiet_minutes * MINUTE
    return PartitionProgress(reached=reached, quiet=quiet, lag=lag)


@pytest.mark.parametrize(
    ("partitions", "expected"),
    [
        ([], None),
        ([partition(None, quiet_minutes=None)], None),  # a stream that has not begun
        ([partition(at(12)), partition(at(11))], at(11)),  # the slowest
        ([partition(at(12)), partition(at(11), quiet_minutes=5)], at(12)),  # it is idle
        # a backlog of days that nobody reads holds everything open
        ([partition(at(12)), partition(at(1), quiet_minutes=999, lag=7)], at(1)),
        ([partition(at(12)), partition(None, quiet_minutes=None, lag=7)], None),
        ([partition(at(12)), partition(None, quiet_minutes=None)], at(12)),  # an empty partition
        ([partition(at(12), quiet_minutes=5), partition(at(11), quiet_minutes=60)], NOW),
        ([partition(LATEST)], NOW),  # a clock that is ahead
    ],
    ids=["none", "not begun", "slowest", "idle", "backlog", "unread", "empty", "all idle", "ahead"],
)
def test_the_watermark_is_that_of_the_slowest_active_partition(
    partitions: list[PartitionProgress], expected: datetime | None
) -> None:
    assert watermark(partitions, idle=IDLE, now=NOW) == expected
