"""Protobuf timestamps <-> datetimes."""

from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from judgestream.core import limits


def timestamp(time: datetime) -> Timestamp:
    """A protobuf timestamp, exact to the microsecond. `time` must have a time zone.

    A time that is off the calendar in UTC becomes the nearest valid event time.
    """
    stamp = Timestamp()
    try:
        stamp.FromDatetime(time)
    except (ValueError, OverflowError):
        stamp.FromDatetime(limits.EARLIEST if time.year < limits.EARLIEST.year else limits.LATEST)
    return stamp


def moment(stamp: Timestamp) -> datetime:
    """A timestamp as a UTC datetime.

    Raises:
        ValueError: outside `limits.EARLIEST` and `limits.LATEST`, or nanoseconds out of range.
    """
    try:
        time = limits.plausible(stamp.ToDatetime(tzinfo=UTC))
    except (ValueError, OverflowError):
        time = None
    if time is None:
        raise ValueError(
            f"{stamp.seconds} s after 1970 is not a time between {limits.EARLIEST.year}"
            f" and {limits.LATEST.year - 1}"
        )
    return time
