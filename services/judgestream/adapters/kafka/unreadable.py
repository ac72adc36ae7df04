"""The record that stands for bytes which cannot be read, so that they go the way of any record."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from secrets import token_hex

from judgestream.adapters.kafka.faults import Fault
from judgestream.adapters.kafka.raw_records import RawRecord

MAX_KEPT_BYTES = 1 << 20
"""Of what cannot be read, this much is kept."""

MARK = f"judgestream-unreadable-{token_hex(8)}"
"""The header of what stands for unreadable bytes. Random, so that no producer can write it."""


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


def mark(stands: Unreadable, raw: bytes) -> RawRecord:
    """The record that stands for these bytes; `unreadable` recognises it."""
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
