"""An incoming Kafka record, and the dead letter that preserves it."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from judgestream.contracts.codecs.times import timestamp
from judgestream.contracts.events import IncomingHeader
from judgestream.core import limits
from judgestream.core.errors import JudgestreamError
from judgestream.core.limits import KIB, MIB, clean, cut
from judgestream.v1.judging_pb2 import DeadLetter

KEPT_VALUE = 3 * MIB
"""A value up to this size is kept whole: more than the request topic accepts uncompressed."""
KEPT_BEGINNING = 64 * KIB
"""The part of a larger value that is kept."""
KEPT_HEADERS = 256 * KIB
KEPT_KEY = 64 * KIB
RECORD_KEY = 4 * KIB
"""Limit of the key of the dead letter's own record, which determines its partition."""

VALUE, KEY, HEADERS = "value", "key", "headers"


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """A record as it was consumed. `time` is Kafka's timestamp, None if it is not a valid time."""

    topic: str
    partition: int
    offset: int
    time: datetime | None
    key: bytes | None
    value: bytes | None
    headers: tuple[IncomingHeader, ...] = ()

    @property
    def place(self) -> str:
        """The record's position, for logs and errors: `topic[partition]@offset`."""
        return f"{self.topic}[{self.partition}]@{self.offset}"


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
    """The record with its bytes and headers, and the reason it was set aside.

    Its id is a digest of topic, partition and offset, so a redelivered record gives the same dead letter.
    Parts that exceed the limits are cut, and named in `cut`.
    """
    place = f"{record.topic}/{record.partition}/{record.offset}"
    headers, all_kept = _kept_headers(record.headers)
    letter = DeadLetter(
        dead_letter_id=hashlib.sha256(place.encode()).hexdigest()[:32],
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        recorded_at=None if record.time is None else timestamp(record.time),
        key=record.key,
        value=record.value,
        headers=headers,
        error_class=error.code,
        error_message=cut(str(error), limits.MESSAGE),
        attempts=attempts,
        first_failed_at=timestamp(first_failed_at),
        dead_lettered_at=timestamp(now),
        consumer_group=cut(group, limits.ID),
        request_id=cut(request_id, limits.ID),
        cut=[] if all_kept else [HEADERS],
    )
    if record.key is not None and len(record.key) > KEPT_KEY:
        letter.key = record.key[:KEPT_KEY]
        letter.cut.append(KEY)
    if record.value is not None and len(record.value) > KEPT_VALUE:
        _cut_value(letter, KEPT_BEGINNING)
    return letter


def smallest(letter: DeadLetter) -> DeadLetter:
    """Only the record's position and the reason: for a topic with a smaller limit than this table's."""
    small = DeadLetter()
    small.CopyFrom(letter)
    small.error_message = cut(letter.error_message, limits.DETAIL)
    if small.headers:
        del small.headers[:]
        if HEADERS not in small.cut:
            small.cut.append(HEADERS)
    if len(small.key) > limits.ID:
        small.key = small.key[: limits.ID]
        if KEY not in small.cut:
            small.cut.append(KEY)
    if small.value:
        _cut_value(small, 0)
    return small


def _cut_value(letter: DeadLetter, kept: int) -> None:
    if VALUE not in letter.cut:
        letter.cut.append(VALUE)
        letter.value_bytes = len(letter.value)
        letter.value_sha256 = hashlib.sha256(letter.value).hexdigest()
    letter.value = letter.value[:kept]


def _kept_headers(headers: Iterable[IncomingHeader]) -> tuple[list[DeadLetter.Header], bool]:
    """The headers that fit the limit, in order, and whether these are all."""
    kept: list[DeadLetter.Header] = []
    room, all_kept = KEPT_HEADERS, True
    for name, value in headers:
        size = len(name.encode(errors="replace")) + len(value or b"") + 16
        if size > room:
            all_kept = False
            continue
        room -= size
        kept.append(DeadLetter.Header(key=clean(name), value=value))
    return kept, all_kept
