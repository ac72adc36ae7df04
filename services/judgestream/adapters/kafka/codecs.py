"""Kafka's compression codecs with a bound on the output, for untrusted data.

The clients' own decompression has no bound: two megabytes on the topic may be two gigabytes in memory.
"""

import io
import struct
import zlib
from collections.abc import Callable

import cramjam
import lz4.frame
import zstandard

XERIAL = b"\x82SNAPPY\x00"
XERIAL_HEADER = 16
ZSTD_WINDOW = 128 << 20
"""The format's own limit for what every decoder must accept."""


class TooLarge(Exception):
    """The decompressed data exceeds the bound."""


def _gzip(data: bytes, most: int) -> bytes:
    out = bytearray()
    while data:
        stream = zlib.decompressobj(wbits=31)
        out += stream.decompress(data, most + 1 - len(out))
        if len(out) > most:
            raise TooLarge
        if not stream.eof:
            raise ValueError("the gzip stream ends too early")
        data = stream.unused_data
    return bytes(out)


def _snappy(data: bytes, most: int) -> bytes:
    if not data.startswith(XERIAL):
        return _snappy_block(data, most)
    out = bytearray()
    at = XERIAL_HEADER
    while at < len(data):
        (size,) = struct.unpack_from(">i", data, at)
        block = data[at + 4 : at + 4 + size]
        if size < 0 or len(block) != size:
            raise ValueError("a snappy block reaches beyond the data")
        out += _snappy_block(block, most - len(out))
        at += 4 + size
    return bytes(out)


def _snappy_block(data: bytes, most: int) -> bytes:
    if cramjam.snappy.decompress_raw_len(data) > most:
        raise TooLarge
    return bytes(cramjam.snappy.decompress_raw(data))


def _lz4(data: bytes, most: int) -> bytes:
    out = bytearray()
    while data:
        stream = lz4.frame.LZ4FrameDecompressor()
        out += stream.decompress(data, max_length=most + 1 - len(out))
        if len(out) > most:
            raise TooLarge
        if not stream.eof:
            raise ValueError("the lz4 frame ends too early")
        data = stream.unused_data or b""
    return bytes(out)


def _zstd(data: bytes, most: int) -> bytes:
    decompressor = zstandard.ZstdDecompressor(max_window_size=ZSTD_WINDOW)
    with decompressor.stream_reader(io.BytesIO(data), read_across_frames=True) as stream:
        out = stream.read(most + 1)
    if len(out) > most:
        raise TooLarge
    return bytes(out)


CODECS: dict[int, tuple[str, Callable[[bytes, int], bytes]]] = {
    1: ("gzip", _gzip),
    2: ("snappy", _snappy),
    3: ("lz4", _lz4),
    4: ("zstd", _zstd),
}
"""Kafka's number of a codec -> its name, and a function (data, bound in bytes) -> bytes."""


def decompress(codec: int, data: bytes, most: int) -> bytes:
    """Raises KeyError for an unknown codec, TooLarge, or the library's own errors for damaged data."""
    return CODECS[codec][1](data, most)
