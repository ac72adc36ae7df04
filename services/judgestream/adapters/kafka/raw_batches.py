"""Serialisation of record batches of magic 2.

Format: Apache Kafka, "Record Batch", https://kafka.apache.org/documentation/#recordbatch.
"""

import struct

from crc32c import crc32c

from judgestream.adapters.kafka.raw_records import RawRecord, encoded

HEADER = struct.Struct(">qiibIhiqqqhii")
LOG_OVERHEAD = 12
CRC_AT, ATTRIBUTES_AT = 17, 21
CODEC_MASK, LOG_APPEND_TIME, CONTROL = 0x07, 0x08, 0x20


def batch(
    records: list[RawRecord],
    *,
    like: bytes = b"",
    base: int | None = None,
    last: int | None = None,
) -> bytes:
    """An uncompressed batch of magic 2.

    Args:
        like: a batch whose producer and transaction it keeps, if they can be read.
        base, last: its first and last offset, where they are not those of its records.
    """
    base = records[0].offset if base is None else base
    last = records[-1].offset if last is None else last
    epoch, attributes, producer = -1, 0, (-1, -1, -1)
    first_time = records[0].timestamp if records else -1
    last_time = max((record.timestamp for record in records), default=-1)
    if len(like) >= HEADER.size and like[16] == 2:
        head = HEADER.unpack_from(like)
        epoch, attributes, producer = head[2], head[5] & ~(CODEC_MASK | CONTROL), head[9:12]
        if attributes & LOG_APPEND_TIME:
            last_time = head[8]
    body = b"".join(encoded(record, base, first_time) for record in records)
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
    return with_checksum(head_bytes + body)


def with_checksum(whole: bytearray) -> bytes:
    """The batch with its checksum recomputed."""
    struct.pack_into(">I", whole, CRC_AT, crc32c(whole[ATTRIBUTES_AT:]))
    return bytes(whole)


def base_offset(piece: bytes) -> int:
    """The first offset in the header of a batch of any format."""
    return int(struct.unpack_from(">q", piece)[0])
