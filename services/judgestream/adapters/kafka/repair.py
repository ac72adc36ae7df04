"""A batch of magic 2 whose records are not what its header promises, with every record that can be read."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import pairwise

from judgestream.adapters.kafka.faults import Fault, Faulty
from judgestream.adapters.kafka.raw_batches import HEADER, batch
from judgestream.adapters.kafka.raw_records import RawRecord, record_at
from judgestream.adapters.kafka.unreadable import Unreadable, mark

MAX_REPAIRED_RECORDS = 100_000
"""A faulty batch of more records than this is set aside whole: repairing it would take too long."""


def sound(piece: bytes, head: tuple[int, ...], offsets: Callable[[bytes], Iterable[int]]) -> bool:
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


def repaired(piece: bytes, head: tuple[int, ...], delta: int) -> bytes:
    """A batch with every record that can be read, and a mark for what cannot. Raises: Faulty."""
    base, count = head[0], head[12]
    if not 0 <= count - 1 <= delta or count > MAX_REPAIRED_RECORDS:
        raise Faulty(Fault.CORRUPT, f"{count} records, the last at offset delta {delta}")
    body = piece[HEADER.size :]
    records: list[RawRecord] = []
    at, problem = 0, f"fewer records than the {count} that the batch promises"
    while at < len(body) and len(records) < count:
        at, one, problem = record_at(body, at, base=base, first_time=head[7])
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
            raise Faulty(Fault.CORRUPT, problem)
        stands = Unreadable(
            first_offset=first, last_offset=base + delta, fault=Fault.CORRUPT, detail=problem
        )
        records.append(mark(stands, body[at:]))
    return batch(records, like=piece, base=base, last=base + delta)
