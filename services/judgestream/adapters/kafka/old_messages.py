"""Conversion of messages of magic 0 and 1, the formats before record batches, to batches of magic 2."""

import struct
import zlib
from itertools import pairwise

from kafka.record.legacy_records import LegacyRecordBatch

from judgestream.adapters.kafka.decompression import decompressed_data
from judgestream.adapters.kafka.faults import Fault, Faulty, describe
from judgestream.adapters.kafka.raw_batches import CODEC_MASK, batch
from judgestream.adapters.kafka.raw_records import RawRecord


def converted(piece: bytes) -> bytes:
    """A message of magic 0 or 1, which may contain compressed messages, as a batch of magic 2.

    aiokafka would compute the checksum of an old message over all bytes that follow it.

    Raises:
        Faulty: the message cannot be read.
    """
    if zlib.crc32(piece[16:]) != struct.unpack_from(">I", piece, 12)[0]:
        raise Faulty(Fault.BAD_CHECKSUM, "the checksum of the message is wrong")
    try:
        magic, codec = piece[16], piece[17] & CODEC_MASK
        if codec:
            at = 18 + 8 * magic
            (key_size,) = struct.unpack_from(">i", piece, at)
            decompressed_data(codec, piece[at + 8 + max(key_size, 0) :])
        records = [
            RawRecord(
                offset=message.offset,
                timestamp=-1 if message.timestamp is None else message.timestamp,
                key=message.key,
                value=message.value,
            )
            for message in LegacyRecordBatch(memoryview(piece), magic)
        ]
    except Faulty:
        raise
    except Exception as exc:
        raise Faulty(Fault.CORRUPT, f"a message of an old format: {describe(exc)}") from exc
    if not records or any(a.offset >= b.offset for a, b in pairwise(records)):
        raise Faulty(Fault.CORRUPT, "a message of an old format without records in order")
    return batch(records)
