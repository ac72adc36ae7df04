"""A Kafka record as it came in, and the dead letter that preserves it whole."""

import hashlib
from dataclasses import dataclass
from datetime import datetime

from judgestream.contracts.codecs import timestamp
from judgestream.contracts.events import IncomingHeader
from judgestream.core.errors import JudgestreamError
from judgestream.core.limits import clean
from judgestream.v1.judging_pb2 import DeadLetter


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """`time` is Kafka's record timestamp, None when it cannot be read as a time."""

    topic: str
    partition: int
    offset: int
    time: datetime | None
    key: bytes | None
    value: bytes | None
    headers: tuple[IncomingHeader, ...] = ()


def dead_letter(
    record: Record,
    error: JudgestreamError,
    *,
    attempts: int,
    first_failed_at: datetime,
    now: datetime,
    group: str,
    request_id: str,
) -> DeadLetter:
    """The record, bytes and headers and all, with why it was set aside.

    Its id is a digest of topic, partition and offset: a redelivered record is the same dead letter.
    """
    place = f"{record.topic}/{record.partition}/{record.offset}"
    return DeadLetter(
        dead_letter_id=hashlib.sha256(place.encode()).hexdigest()[:32],
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        recorded_at=None if record.time is None else timestamp(record.time),
        key=record.key,
        value=record.value,
        headers=[DeadLetter.Header(key=clean(key), value=value) for key, value in record.headers],
        error_class=error.code,
        error_message=str(error),
        attempts=attempts,
        first_failed_at=timestamp(first_failed_at),
        dead_lettered_at=timestamp(now),
        consumer_group=group,
        request_id=request_id,
    )
