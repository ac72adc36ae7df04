"""Record batches as a broker returns them, made safe to read before a client library sees them.

A library raises at the first fault, so that one batch, or one header that is not UTF-8, holds up all that
is behind it. `readable` takes the bytes of one partition's answer and returns bytes that every client reads
to the end. What is sound stays as it is; compressed batches come out uncompressed, under a bound; a header
name that is not UTF-8 is escaped; and what cannot be read becomes one record in its place, which
`unreadable` recognises, so that it goes the way of any record: handled, set aside, committed in order.

Format (magic 2): Apache Kafka, "Record Batch", https://kafka.apache.org/documentation/#recordbatch.
"""

import struct
from collections.abc import Callable, Iterable, Iterator

from crc32c import crc32c

from judgestream.adapters.kafka.decompression import decompressed
from judgestream.adapters.kafka.faults import Fault, Faulty, said
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
"""The least that a message of magic 0 takes, its offset and size included."""

INT32 = (1 << 31) - 1


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
        except Faulty as exc:
            fault, detail = exc.fault, str(exc)
        except Exception as exc:
            fault, detail = Fault.CORRUPT, f"a batch that cannot be taken apart: {said(exc)}"
        last = max(position, _last_offset(piece, following))
        first = min(max(position, base_offset(piece)), last)
        stands = Unreadable(first_offset=first, last_offset=last, fault=fault, detail=detail)
        pieces.append(batch([mark(stands, piece)], like=piece))
    return b"".join(pieces)


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


def _last_offset(piece: bytes, following: bytes | None) -> int:
    """The last offset of a batch that cannot be read, as well as can be told."""
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
    """The largest offset delta that the batch can have before it reaches into the next."""
    if following is None or base_offset(following) <= base_offset(piece):
        return INT32
    return min(INT32, base_offset(following) - base_offset(piece) - 1)


def _checked(piece: bytes, room: int, offsets: Callable[[bytes], Iterable[int]]) -> bytes:
    """The batch itself, or one with the same records that can be read. Raises: Faulty."""
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
    """A transaction's marker has a key of at least four bytes: version and kind."""
    _, one, _ = record_at(piece, HEADER.size, base=0, first_time=0)
    if one is None or one.key is None or len(one.key) < 4:
        raise Faulty(Fault.CORRUPT, "a transaction marker that cannot be read")
