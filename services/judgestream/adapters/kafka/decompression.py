"""Bounded decompression of record batches."""

import struct

from judgestream.adapters.kafka.codecs import CODECS, TooLarge, decompress
from judgestream.adapters.kafka.faults import Fault, Faulty, describe
from judgestream.adapters.kafka.raw_batches import (
    ATTRIBUTES_AT,
    CODEC_MASK,
    HEADER,
    LOG_OVERHEAD,
    with_checksum,
)

MAX_BATCH_BYTES = 64 << 20
"""Bound of a decompressed batch."""


def decompressed_data(codec: int, data: bytes) -> bytes:
    """The decompressed data. Raises Faulty."""
    if codec not in CODECS:
        raise Faulty(Fault.UNKNOWN_CODEC, f"unknown compression codec {codec}")
    try:
        return decompress(codec, data, MAX_BATCH_BYTES)
    except TooLarge:
        raise Faulty(
            Fault.TOO_LARGE,
            f"a {CODECS[codec][0]} batch grows beyond {MAX_BATCH_BYTES >> 20} MiB",
        ) from None
    except Exception as exc:
        raise Faulty(
            Fault.CORRUPT, f"{CODECS[codec][0]} data that does not decompress: {describe(exc)}"
        ) from exc


def decompressed(piece: bytes, codec: int) -> bytes:
    """The same batch of magic 2, uncompressed. Raises Faulty."""
    body = decompressed_data(codec, piece[HEADER.size :])
    whole = bytearray(piece[: HEADER.size]) + body
    struct.pack_into(">i", whole, 8, len(whole) - LOG_OVERHEAD)
    (attributes,) = struct.unpack_from(">h", whole, ATTRIBUTES_AT)
    struct.pack_into(">h", whole, ATTRIBUTES_AT, attributes & ~CODEC_MASK)
    return with_checksum(whole)
