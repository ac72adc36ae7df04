"""Record batches of a broker, made safe before a client library decodes them.

A library raises at the first fault, so one damaged batch, or one header that is not UTF-8, blocks everything
behind it. `readable` takes the bytes of one partition's response and returns bytes that every client can
decode. Valid batches stay as they are. Compressed ones are decompressed under a bound. A header name that is
not UTF-8 is escaped. Unreadable bytes become one record in their place, which `unreadable` recognises. It is
handled like any record: set aside, and committed in order.

Format (magic 2): Apache Kafka, "Record Batch", https://kafka.apache.org/documentation/#recordbatch.
"""

import struct
from collections.abc import Callable, Iterable, Iterator

from crc32c import crc32c

from judgestream.adapters.kafka.decompression import decompressed
from judgestream.adapters.kafka.faults import Fault, Faulty, describe
from judgestream.adapters.kafka.old_messages import converted
from judgestream.adapters.kafka.raw_batches import (
    ATTRIBUTES_AT,
    CODEC_MASK,
    CONTROL,
    HEADER,
    LOG_OVERHEAD,
    base_offset,
    batch,
)
from judgestream.adapters.kafka.raw_records import record_at
from judgestream.adapters.kafka.repair import MAX_REPAIRED_RECORDS, repaired, sound
from judgestream.adapters.kafka.unreadable import Unreadable, mark

OLD_HEADER = 22
"""Smallest message of magic 0, with its offset and size."""

INT32 = (1 << 31) - 1


def readable(raw: bytes, *, position: int, offsets: Callable[[bytes], Iterable[int]]) -> bytes:
    """The response for one partition, made safe.

    Args:
        position: the requested offset.
        offsets: the client's own decoder: a batch -> the offsets of its records. It may raise anything.

    An incomplete batch at the end is left out, as the clients do. When no batch is complete the result is
    empty, and the client fetches again.
    """
    pieces: list[bytes] = []
    slices = list(_slices(raw))
    for number, piece in enumerate(slices):
        following = slices[number + 1] if number + 1 < len(slices) else None
        try:
            pieces.append(_checked(piece, _room(piece, following), offsets))
            continue
        except Faulty as exc:
            fault, detail = exc.fault, str(exc)
        except Exception as exc:
            fault, detail = Fault.CORRUPT, f"a batch that cannot be parsed: {describe(exc)}"
        last = max(position, _last_offset(piece, following))
        first = min(max(position, base_offset(piece)), last)
        damage = Unreadable(first_offset=first, last_offset=last, fault=fault, detail=detail)
        pieces.append(batch([mark(damage, piece)], like=piece))
    return b"".join(pieces)


def _slices(raw: bytes) -> Iterator[bytes]:
    """The complete batches. At an impossible size, the rest of the bytes is the last slice."""
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


def _last_offset(piece: bytes, following: bytes | None) -> int:
    """The last offset of an unreadable batch, as far as it is known."""
    base = base_offset(piece)
    if following is not None and base_offset(following) > base:
        return base_offset(following) - 1
    if len(piece) >= HEADER.size and piece[16] == 2:
        head = HEADER.unpack_from(piece)
        delta, count = head[6], head[12]
        if 0 < count <= delta + 1 <= MAX_REPAIRED_RECORDS:
            return base + int(delta)
    return base


def _room(piece: bytes, following: bytes | None) -> int:
    """The largest offset delta before the batch would overlap the next one."""
    if following is None or base_offset(following) <= base_offset(piece):
        return INT32
    return min(INT32, base_offset(following) - base_offset(piece) - 1)


def _checked(piece: bytes, room: int, offsets: Callable[[bytes], Iterable[int]]) -> bytes:
    """The batch, or a readable one with the same records. Raises Faulty."""
    magic = piece[16] if len(piece) > 16 else -1
    if magic in (0, 1):
        return converted(piece)
    if magic != 2:
        raise Faulty(Fault.UNKNOWN_FORMAT, f"unknown batch format {magic}")
    if len(piece) < HEADER.size:
        raise Faulty(Fault.CORRUPT, f"a batch of {len(piece)} bytes is shorter than its header")
    head = HEADER.unpack_from(piece)
    if crc32c(piece[ATTRIBUTES_AT:]) != head[4]:
        raise Faulty(Fault.BAD_CHECKSUM, "the checksum of the batch is wrong")
    if head[5] & CONTROL:
        _check_marker(piece)
    if head[5] & CODEC_MASK:
        piece = decompressed(piece, head[5] & CODEC_MASK)
    if head[6] <= room and sound(piece, head, offsets):
        return piece
    return repaired(piece, head, min(head[6], room))


def _check_marker(piece: bytes) -> None:
    """Check that a transaction marker has a key of at least four bytes: version and type."""
    _, marker, _ = record_at(piece, HEADER.size, base=0, first_time=0)
    if marker is None or marker.key is None or len(marker.key) < 4:
        raise Faulty(Fault.CORRUPT, "a transaction marker that cannot be read")
