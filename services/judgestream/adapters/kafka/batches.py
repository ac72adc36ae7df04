"""Record batches as a broker returns them, made safe to read before a client library sees them.

A library raises at the first fault, so that one batch, or one header that is not UTF-8, holds up all that
is behind it. `readable` takes the bytes of one partition's answer and returns bytes that every client reads
to the end. What is sound stays as it is; compressed batches come out uncompressed, under a bound; a header
name that is not UTF-8 is escaped; and what cannot be read becomes one record in its place, which
`unreadable` recognises, so that it goes the way of any record: handled, set aside, committed in order.

Format (magic 2): Apache Kafka, "Record Batch", https://kafka.apache.org/documentation/#recordbatch.
"""

import json
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import pairwise
from secrets import token_hex

from crc32c import crc32c
from kafka.record.legacy_records import LegacyRecordBatch

from judgestream.adapters.kafka.codecs import CODECS, TooLarge, decompress

MAX_BATCH_BYTES = 64 << 20
"""Most bytes that a batch may have once it is decompressed."""
MAX_KEPT_BYTES = 1 << 20
"""Of what cannot be read, this much is kept."""
MAX_REPAIRED_RECORDS = 100_000
"""A faulty batch of more records than this is set aside whole: repairing it would take too long."""

HEADER = struct.Struct(">qiibIhiqqqhii")
LOG_OVERHEAD = 12
CRC_AT, ATTRIBUTES_AT = 17, 21
CODEC_MASK, LOG_APPEND_TIME, CONTROL = 0x07, 0x08, 0x20
OLD_HEADER = 22
"""The least that a message of magic 0 takes, its offset and size included."""

MARK = f"judgestream-unreadable-{token_hex(8)}"
"""The header of what stands for unreadable bytes. Random, so that no producer can write it."""

INT32 = (1 << 31) - 1
INT64 = (-(1 << 63), (1 << 63) - 1)


class Fault(StrEnum):
    """Why a batch, or one record of it, cannot be read."""

    BAD_CHECKSUM = "bad_checksum"
    UNKNOWN_CODEC = "unknown_codec"
    UNKNOWN_FORMAT = "unknown_format"
    TOO_LARGE = "too_large"
    CORRUPT = "corrupt"


@dataclass(frozen=True, kw_only=True, slots=True)
class Unreadable:
    """What one unreadable piece of a partition is. Offsets are inclusive."""

    first_offset: int
    last_offset: int
    fault: Fault
    detail: str

    def __str__(self) -> str:
        if self.first_offset == self.last_offset:
            place = f"offset {self.first_offset}"
        else:
            place = f"offsets {self.first_offset} to {self.last_offset}"
        return f"{place} cannot be read: {self.detail}"


@dataclass(frozen=True, kw_only=True, slots=True)
class RawRecord:
    """One record of a batch, as its bytes say."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[bytes, bytes | None], ...] = ()


class _Faulty(Exception):
    def __init__(self, fault: Fault, detail: str) -> None:
        super().__init__(detail)
        self.fault = fault


def readable(raw: bytes, *, position: int, offsets: Callable[[bytes], Iterable[int]]) -> bytes:
    """One partition's answer, made safe.

    Args:
        position: the offset that was asked for.
        offsets: the client's own decoder: a batch -> the offsets of its records. It may raise anything.

    An incomplete batch at the end is left out, as the clients do. When nothing is complete the answer is
    empty, so the client asks again.
    """
    pieces: list[bytes] = []
    found = list(_slices(raw))
    for number, piece in enumerate(found):
        following = found[number + 1] if number + 1 < len(found) else None
        try:
            pieces.append(_checked(piece, _room(piece, following), offsets))
            continue
        except _Faulty as exc:
            fault, detail = exc.fault, str(exc)
        except Exception as exc:
            fault, detail = Fault.CORRUPT, f"a batch that cannot be taken apart: {_said(exc)}"
        last = max(position, _last_offset(piece, following))
        first = min(max(position, _base_offset(piece)), last)
        stands = Unreadable(first_offset=first, last_offset=last, fault=fault, detail=detail)
        pieces.append(batch([_mark(stands, piece)], like=piece))
    return b"".join(pieces)


def unreadable(headers: Iterable[tuple[str, bytes | None]]) -> Unreadable | None:
    """What a record stands for, when it stands for bytes that cannot be read; else None."""
    for name, value in headers:
        if name == MARK and value is not None:
            told = json.loads(value)
            return Unreadable(
                first_offset=told["first"],
                last_offset=told["last"],
                fault=Fault(told["fault"]),
                detail=told["detail"],
            )
    return None


def batch(
    records: list[RawRecord],
    *,
    like: bytes = b"",
    base: int | None = None,
    last: int | None = None,
) -> bytes:
    """An uncompressed batch of magic 2.

    Args:
        like: a batch whose producer and transaction it keeps, if that one can be told.
        base, last: its first and last offset, where they are not those of its records.
    """
    base = records[0].offset if base is None else base
    last = records[-1].offset if last is None else last
    epoch, attributes, producer = -1, 0, (-1, -1, -1)
    first_time = records[0].timestamp if records else -1
    last_time = max((one.timestamp for one in records), default=-1)
    if len(like) >= HEADER.size and like[16] == 2:
        head = HEADER.unpack_from(like)
        epoch, attributes, producer = head[2], head[5] & ~(CODEC_MASK | CONTROL), head[9:12]
        if attributes & LOG_APPEND_TIME:
            last_time = head[8]
    body = b"".join(_encoded(one, base, first_time) for one in records)
    size = HEADER.size - LOG_OVERHEAD + len(body)
    head_bytes = bytearray(
        HEADER.pack(
            base,
            size,
            epoch,
            2,
            0,
            attributes,
            last - base,
            first_time,
            last_time,
            *producer,
            len(records),
        )
    )
    whole = head_bytes + body
    struct.pack_into(">I", whole, CRC_AT, crc32c(whole[ATTRIBUTES_AT:]))
    return bytes(whole)


def _slices(raw: bytes) -> Iterator[bytes]:
    """The complete batches. A size that cannot be true ends the walk with all that is left."""
    at = 0
    while len(raw) - at >= LOG_OVERHEAD:
        (size,) = struct.unpack_from(">i", raw, at + 8)
        if size < OLD_HEADER - LOG_OVERHEAD:
            yield raw[at:]
            return
        end = at + LOG_OVERHEAD + size
        if end > len(raw):
            return
        yield raw[at:end]
        at = end


def _base_offset(piece: bytes) -> int:
    return int(struct.unpack_from(">q", piece)[0])


def _last_offset(piece: bytes, following: bytes | None) -> int:
    """The last offset of a batch that cannot be read, as well as can be told."""
    base = _base_offset(piece)
    if following is not None and _base_offset(following) > base:
        return _base_offset(following) - 1
    if len(piece) >= HEADER.size and piece[16] == 2:
        head = HEADER.unpack_from(piece)
        delta, count = head[6], head[12]
        if 0 < count <= delta + 1 <= MAX_REPAIRED_RECORDS:
            return base + int(delta)
    return base


def _room(piece: bytes, following: bytes | None) -> int:
    """The largest offset delta that the batch can have before it reaches into the next."""
    if following is None or _base_offset(following) <= _base_offset(piece):
        return INT32
    return min(INT32, _base_offset(following) - _base_offset(piece) - 1)


def _checked(piece: bytes, room: int, offsets: Callable[[bytes], Iterable[int]]) -> bytes:
    """The batch itself, or one with the same records that can be read. Raises: _Faulty."""
    magic = piece[16] if len(piece) > 16 else -1
    if magic in (0, 1):
        return _checked_old(piece)
    if magic != 2:
        raise _Faulty(Fault.UNKNOWN_FORMAT, f"unknown batch format {magic}")
    if len(piece) < HEADER.size:
        raise _Faulty(Fault.CORRUPT, f"a batch of {len(piece)} bytes is shorter than its header")
    head = HEADER.unpack_from(piece)
    if crc32c(piece[ATTRIBUTES_AT:]) != head[4]:
        raise _Faulty(Fault.BAD_CHECKSUM, "the checksum of the batch is wrong")
    if head[5] & CONTROL:
        _check_marker(piece)
    if head[5] & CODEC_MASK:
        piece = _decompressed(piece, head[5] & CODEC_MASK)
    if head[6] <= room and _sound(piece, head, offsets):
        return piece
    return _repaired(piece, head, min(head[6], room))


def _check_marker(piece: bytes) -> None:
    """A transaction's marker has a key of at least four bytes: version and kind."""
    _, one, _ = _record(piece, HEADER.size, base=0, first_time=0)
    if one is None or one.key is None or len(one.key) < 4:
        raise _Faulty(Fault.CORRUPT, "a transaction marker that cannot be read")


def _checked_old(piece: bytes) -> bytes:
    """A message of magic 0 or 1, which may hold others, compressed, as a batch of magic 2.

    Left as it is, aiokafka takes the checksum of all that follows it for its own.
    """
    if zlib.crc32(piece[16:]) != struct.unpack_from(">I", piece, 12)[0]:
        raise _Faulty(Fault.BAD_CHECKSUM, "the checksum of the message is wrong")
    try:
        magic, codec = piece[16], piece[17] & CODEC_MASK
        if codec:
            at = 18 + 8 * magic
            (key_size,) = struct.unpack_from(">i", piece, at)
            _open(codec, piece[at + 8 + max(key_size, 0) :])
        records = [
            RawRecord(
                offset=one.offset,
                timestamp=-1 if one.timestamp is None else one.timestamp,
                key=one.key,
                value=one.value,
            )
            for one in LegacyRecordBatch(memoryview(piece), magic)
        ]
    except _Faulty:
        raise
    except Exception as exc:
        raise _Faulty(Fault.CORRUPT, f"a message of an old format: {_said(exc)}") from exc
    if not records or any(a.offset >= b.offset for a, b in pairwise(records)):
        raise _Faulty(Fault.CORRUPT, "a message of an old format without records in order")
    return batch(records)


def _open(codec: int, data: bytes) -> bytes:
    if codec not in CODECS:
        raise _Faulty(Fault.UNKNOWN_CODEC, f"unknown compression codec {codec}")
    try:
        return decompress(codec, data, MAX_BATCH_BYTES)
    except TooLarge:
        raise _Faulty(
            Fault.TOO_LARGE,
            f"a {CODECS[codec][0]} batch grows beyond {MAX_BATCH_BYTES >> 20} MiB",
        ) from None
    except Exception as exc:
        raise _Faulty(
            Fault.CORRUPT, f"{CODECS[codec][0]} data that does not decompress: {_said(exc)}"
        ) from exc


def _decompressed(piece: bytes, codec: int) -> bytes:
    body = _open(codec, piece[HEADER.size :])
    whole = bytearray(piece[: HEADER.size]) + body
    struct.pack_into(">i", whole, 8, len(whole) - LOG_OVERHEAD)
    (attributes,) = struct.unpack_from(">h", whole, ATTRIBUTES_AT)
    struct.pack_into(">h", whole, ATTRIBUTES_AT, attributes & ~CODEC_MASK)
    struct.pack_into(">I", whole, CRC_AT, crc32c(whole[ATTRIBUTES_AT:]))
    return bytes(whole)


def _sound(piece: bytes, head: tuple[int, ...], offsets: Callable[[bytes], Iterable[int]]) -> bool:
    """Whether the client reads every record, each at an offset of its own within the batch."""
    base, delta, count = head[0], head[6], head[12]
    before, seen = base - 1, 0
    try:
        for offset in offsets(piece):
            if not before < offset <= base + delta:
                return False
            before = offset
            seen += 1
    except Exception:
        return False
    return seen == count


def _repaired(piece: bytes, head: tuple[int, ...], delta: int) -> bytes:
    """A batch with every record that can be read, and a mark for what cannot. Raises: _Faulty."""
    base, count = head[0], head[12]
    if not 0 <= count - 1 <= delta or count > MAX_REPAIRED_RECORDS:
        raise _Faulty(Fault.CORRUPT, f"{count} records, the last at offset delta {delta}")
    body = piece[HEADER.size :]
    records: list[RawRecord] = []
    at, problem = 0, f"fewer records than the {count} that the batch promises"
    while at < len(body) and len(records) < count:
        at, one, problem = _record(body, at, base=base, first_time=head[7])
        if one is None:
            break
        records.append(one)
    given = [base - 1, *(one.offset for one in records), base + delta + 1]
    if any(before >= after for before, after in pairwise(given)):
        # offsets that repeat or leave the batch: the broker has counted the records, so their order tells
        records = [replace(one, offset=base + k) for k, one in enumerate(records)]
    if len(records) < count:
        first = records[-1].offset + 1 if records else base
        if not records or first > base + delta:
            raise _Faulty(Fault.CORRUPT, problem)
        stands = Unreadable(
            first_offset=first, last_offset=base + delta, fault=Fault.CORRUPT, detail=problem
        )
        records.append(_mark(stands, body[at:]))
    return batch(records, like=piece, base=base, last=base + delta)


def _mark(stands: Unreadable, raw: bytes) -> RawRecord:
    told = {
        "first": stands.first_offset,
        "last": stands.last_offset,
        "fault": stands.fault.value,
        "detail": stands.detail[:500],
    }
    return RawRecord(
        offset=stands.last_offset,
        timestamp=-1,
        key=None,
        value=raw[:MAX_KEPT_BYTES],
        headers=((MARK.encode(), json.dumps(told).encode()),),
    )


def _record(
    body: bytes, at: int, *, base: int, first_time: int
) -> tuple[int, RawRecord | None, str]:
    """The place behind the record at `at`, the record, and what is wrong with it."""
    start = at
    try:
        size, at = _varint(body, at)
        end = at + size
        if size < 0 or end > len(body):
            return start, None, f"a record of {size} bytes where {len(body) - at} are left"
        at += 1
        time_delta, at = _varint(body, at)
        offset_delta, at = _varint(body, at)
        key, at = _field(body, at, end)
        value, at = _field(body, at, end)
        count, at = _varint(body, at)
        headers: list[tuple[bytes, bytes | None]] = []
        if count < 0 or count > end - at:
            return start, None, f"a record with {count} headers"
        for _ in range(count):
            name, at = _field(body, at, end)
            held, at = _field(body, at, end)
            headers.append((_utf8(name or b""), held))
        if at != end:
            return start, None, f"a record that is {abs(end - at)} bytes off its stated size"
    except (IndexError, ValueError) as exc:
        return start, None, f"a record that cannot be taken apart: {_said(exc)}"
    timestamp = min(max(first_time + time_delta, INT64[0]), INT64[1])
    one = RawRecord(
        offset=base + offset_delta,
        timestamp=timestamp,
        key=key,
        value=value,
        headers=tuple(headers),
    )
    return end, one, ""


def _field(body: bytes, at: int, end: int) -> tuple[bytes | None, int]:
    size, at = _varint(body, at)
    if size < 0:
        return None, at
    if at + size > end:
        raise ValueError("a field reaches beyond its record")
    return body[at : at + size], at + size


def _utf8(name: bytes) -> bytes:
    """A header's name as UTF-8; what is not UTF-8 in it is escaped."""
    return name.decode(errors="backslashreplace").encode()


def _varint(body: bytes, at: int) -> tuple[int, int]:
    """A zigzag varint, as records have them. Raises: IndexError, ValueError."""
    value = shift = 0
    while True:
        byte = body[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return (value >> 1) ^ -(value & 1), at
        shift += 7
        if shift > 63:
            raise ValueError("a number of more than 64 bits")


def _number(value: int) -> bytes:
    zigzag = (value << 1) ^ (value >> 63) if value < 0 else value << 1
    zigzag &= (1 << 64) - 1
    out = bytearray()
    while zigzag >= 0x80:
        out.append(zigzag & 0x7F | 0x80)
        zigzag >>= 7
    out.append(zigzag)
    return bytes(out)


def _bytes(value: bytes | None) -> bytes:
    return _number(-1) if value is None else _number(len(value)) + value


def _encoded(record: RawRecord, base: int, first_time: int) -> bytes:
    delta = record.timestamp - first_time
    if not INT64[0] <= delta <= INT64[1]:
        delta = 0
    parts = [
        b"\x00",
        _number(delta),
        _number(record.offset - base),
        _bytes(record.key),
        _bytes(record.value),
        _number(len(record.headers)),
    ]
    for name, value in record.headers:
        parts += [_bytes(name), _bytes(value)]
    body = b"".join(parts)
    return _number(len(body)) + body


def _said(exc: Exception) -> str:
    return f"{type(exc).__name__}: {exc}" if str(exc) else type(exc).__name__
