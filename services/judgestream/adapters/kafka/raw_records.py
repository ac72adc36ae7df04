"""Parsing and serialisation of one record in a batch of magic 2.

Format: Apache Kafka, "Record", https://kafka.apache.org/documentation/#record.
"""

from dataclasses import dataclass

from judgestream.adapters.kafka.faults import describe

INT64 = (-(1 << 63), (1 << 63) - 1)


@dataclass(frozen=True, kw_only=True, slots=True)
class RawRecord:
    """One record of a batch, as it is stored."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[bytes, bytes | None], ...] = ()


def record_at(
    body: bytes, at: int, *, base: int, first_time: int
) -> tuple[int, RawRecord | None, str]:
    """Parse the record at `at`. Returns the position behind it, the record or None, and the problem or ""."""
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
        return start, None, f"a record that cannot be parsed: {describe(exc)}"
    timestamp = min(max(first_time + time_delta, INT64[0]), INT64[1])
    record = RawRecord(
        offset=base + offset_delta,
        timestamp=timestamp,
        key=key,
        value=value,
        headers=tuple(headers),
    )
    return end, record, ""


def _field(body: bytes, at: int, end: int) -> tuple[bytes | None, int]:
    size, at = _varint(body, at)
    if size < 0:
        return None, at
    if at + size > end:
        raise ValueError("a field reaches beyond its record")
    return body[at : at + size], at + size


def _utf8(name: bytes) -> bytes:
    """A header's name as UTF-8, with invalid bytes escaped."""
    return name.decode(errors="backslashreplace").encode()


def _varint(body: bytes, at: int) -> tuple[int, int]:
    """Parse a zigzag varint. Raises IndexError, ValueError."""
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


def encoded(record: RawRecord, base: int, first_time: int) -> bytes:
    """The bytes of a record in a batch with this first offset and time."""
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
