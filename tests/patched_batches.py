"""Record batches with single fields changed, for tests of damaged batches."""

import struct

from crc32c import crc32c

from judgestream.adapters.kafka.raw_batches import HEADER


def signed(piece: bytes) -> bytes:
    """The same batch with a correct checksum."""
    changed = bytearray(piece)
    struct.pack_into(">I", changed, 17, crc32c(changed[21:]))
    return bytes(changed)


def patched(piece: bytes, form: str, at: int, value: int, *, sign: bool = True) -> bytes:
    changed = bytearray(piece)
    struct.pack_into(form, changed, at, value)
    return signed(bytes(changed)) if sign else bytes(changed)


def packed(piece: bytes, codec: int, body: bytes) -> bytes:
    """The batch with this body, marked as compressed with this codec."""
    whole = bytearray(piece[: HEADER.size]) + body
    struct.pack_into(">i", whole, 8, len(whole) - 12)
    struct.pack_into(">h", whole, 21, codec)
    return signed(bytes(whole))
