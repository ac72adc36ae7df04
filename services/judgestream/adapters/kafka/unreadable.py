"""The stand-in record for unreadable bytes, so that they are handled like any record."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from secrets import token_hex

from judgestream.adapters.kafka.faults import Fault
from judgestream.adapters.kafka.raw_records import RawRecord

MAX_KEPT_BYTES = 1 << 20
"""Bytes that the stand-in keeps."""

MARK = f"judgestream-unreadable-{token_hex(8)}"
"""The header of a stand-in record. Random, so that no producer can forge it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Unreadable:
    """One unreadable piece of a partition. Offsets are inclusive."""

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


def mark(damage: Unreadable, raw: bytes) -> RawRecord:
    """The stand-in for these bytes; `unreadable` recognises it."""
    description = {
        "first": damage.first_offset,
        "last": damage.last_offset,
        "fault": damage.fault.value,
        "detail": damage.detail[:500],
    }
    return RawRecord(
        offset=damage.last_offset,
        timestamp=-1,
        key=None,
        value=raw[:MAX_KEPT_BYTES],
        headers=((MARK.encode(), json.dumps(description).encode()),),
    )


def unreadable(headers: Iterable[tuple[str, bytes | None]]) -> Unreadable | None:
    """The damage that a stand-in record describes; None for any other record."""
    for name, value in headers:
        if name == MARK and value is not None:
            description = json.loads(value)
            return Unreadable(
                first_offset=description["first"],
                last_offset=description["last"],
                fault=Fault(description["fault"]),
                detail=description["detail"],
            )
    return None
