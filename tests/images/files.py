"""Image files made on the spot."""

import struct
import zlib
from io import BytesIO

from PIL import Image


def image_file(kind: str = "PNG", size: tuple[int, int] = (4, 4), colour: str = "red") -> bytes:
    """A picture of one colour as a file of Pillow's format `kind`."""
    file = BytesIO()
    Image.new("RGB", size, colour).save(file, kind)
    return file.getvalue()


def claimed_png(width: int, height: int) -> bytes:
    """A few bytes whose header claims a picture of this size."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 64))
        + chunk(b"IEND", b"")
    )
