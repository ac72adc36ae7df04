"""Repair of batches of magic 2 whose records do not match their header."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import pairwise

from judgestream.adapters.kafka.faults import Fault, Faulty
from judgestream.adapters.kafka.raw_batches import HEADER, batch
from judgestream.adapters.kafka.raw_records import RawRecord, record_at
from judgestream.adapters.kafka.unreadable import Unreadable, mark

MAX_REPAIRED_RECORDS = 100_000
"""A faulty batch with more records is set aside whole, because repairing it would take too long."""


def sound(piece: bytes, head: tuple[int, ...], offsets: Callable[[bytes], Iterable[int]]) -> bool:
    """Whether the client can read every record, at increasing offsets within the batch."""
    base, delta, count = head[0], head[6], head[12]
    before, records = base - 1, 0
    try:
        for offset in offsets(piece):
            if not before < offset <= base + delta:
                return False
            before = offset
            records += 1
    except Exception:
        return False
    return records == count


def repaired(piece: bytes, head: tuple[int, ...], delta: int) -> bytes:
    """A batch with every readable record, and a mark in place of the rest. Raises Faulty."""
    base, count = head[0], head[12]
    if not 0 <= count - 1 <= delta or count > MAX_REPAIRED_RECORDS:
        raise Faulty(Fault.CORRUPT, f"{count} records, the last at offset delta {delta}")
    body = piece[HEADER.size :]
    records: list[RawRecord] = []
    at, problem = 0, f"fewer records than the {count} in the batch's header"
    while at < len(body) and len(records) < count:
        at, record, problem = record_at(body, at, base=base, first_time=head[7])
        if record is None:
            break
        records.append(record)
    offsets = [base - 1, *(record.offset for record in records), base + delta + 1]
    if any(before >= after for before, after in pairwise(offsets)):
        # offsets that repeat or leave the batch: the broker counts records, so their order gives the offsets
        records = [replace(record, offset=base + k) for k, record in enumerate(records)]
    if len(records) < count:
        first = records[-1].offset + 1 if records else base
        if not records or first > base + delta:
            raise Faulty(Fault.CORRUPT, problem)
        damage = Unreadable(
            first_offset=first, last_offset=base + delta, fault=Fault.CORRUPT, detail=problem
        )
        records.append(mark(damage, body[at:]))
    return batch(records, like=piece, base=base, last=base + delta)
