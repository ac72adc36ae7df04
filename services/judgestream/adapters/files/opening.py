"""A file's bytes, decompressed and as UTF-8."""

import bz2
import codecs
import gzip
import io
import lzma
import sys
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeAlias, cast

import lz4.frame
import zstandard

STDIN = Path("-")
Bytes: TypeAlias = "io.BufferedReader[Any]"
CHUNK = 1 << 20
_ZSTD_CHUNK = 1 << 10
"""Compressed bytes taken at a time: zstd may expand each of them 30,000 times."""


def reads_once(path: Path) -> bool:
    """Whether the file can be read only once: standard input, a pipe, a process substitution of the shell."""
    return path == STDIN or (path.exists() and not path.is_file() and not path.is_dir())


def display_name(path: Path) -> str:
    """The file's name in messages."""
    return "standard input" if path == STDIN else str(path)


@contextmanager
def opened(path: Path) -> Iterator["Bytes"]:
    """The file's bytes, decompressed if necessary (gzip, bzip2, xz, zstd, lz4, known by their first bytes).

    Standard input is left open.
    """
    raw: Bytes
    with ExitStack() as stack:
        if path == STDIN:
            raw = io.BufferedReader(cast("io.RawIOBase", sys.stdin.buffer), CHUNK)
            stack.callback(raw.detach)
        else:
            raw = cast("Bytes", path.open("rb", buffering=CHUNK))
            stack.callback(raw.close)
        head = raw.peek(8)[:8]
        for magic, decompressor in DECOMPRESSORS.items():
            if head.startswith(magic):
                unpacked = stack.enter_context(decompressor(raw))
                raw = io.BufferedReader(cast("io.RawIOBase", unpacked), CHUNK)
                break
        yield raw


def as_utf8(file: "Bytes") -> "Bytes":
    """The text as UTF-8 without a byte order mark. UTF-16 and UTF-32 are recognised with or without one.

    Reading raises UnicodeDecodeError where UTF-16 or UTF-32 is broken; UTF-8 is not checked here.
    """
    head = file.peek(4)[:4]
    encoding, mark = _encoding(head)
    file.read(mark)
    if encoding == "utf-8":
        return file
    return io.BufferedReader(_Recoded(file, encoding), CHUNK)


def _encoding(head: bytes) -> tuple[str, int]:
    """The encoding, and how many bytes its mark takes. Records begin with ASCII, so the zeros of its
    first two characters tell an unmarked one."""
    for mark, encoding in _MARKS.items():
        if head.startswith(mark):
            return encoding, len(mark)
    zeros = tuple(byte == 0 for byte in head)
    return _ZEROS.get(zeros, "utf-8"), 0


class _Zstd(io.RawIOBase):
    """Decompresses frames one after the other, and detects a truncated last one."""

    def __init__(self, file: "Bytes") -> None:
        self._file = file
        self._frame = zstandard.ZstdDecompressor().decompressobj()
        self._ready = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._ready:
            packed = self._frame.unused_data if self._frame.eof else b""
            packed = packed or self._file.read(_ZSTD_CHUNK)
            if not packed:
                if not self._frame.eof:
                    raise EOFError("the zstd file ends in the middle of a frame")
                return 0
            if self._frame.eof:
                self._frame = zstandard.ZstdDecompressor().decompressobj()
            self._ready = self._frame.decompress(packed)
        count = min(len(buffer), len(self._ready))
        buffer[:count] = self._ready[:count]
        self._ready = self._ready[count:]
        return count


class _Recoded(io.RawIOBase):
    """Bytes of another encoding as UTF-8."""

    def __init__(self, file: "Bytes", encoding: str) -> None:
        self._file = file
        self._decoder = codecs.getincrementaldecoder(encoding)()
        self._ready = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._ready:
            raw = self._file.read(1 << 16)
            self._ready = self._decoder.decode(raw, final=not raw).encode()
            if not raw:
                break
        count = min(len(buffer), len(self._ready))
        buffer[:count] = self._ready[:count]
        self._ready = self._ready[count:]
        return count


DECOMPRESSORS: Mapping[bytes, Callable[["Bytes"], Any]] = MappingProxyType(
    {
        b"\x1f\x8b": lambda file: gzip.GzipFile(fileobj=file),
        b"BZh": bz2.BZ2File,
        b"\xfd7zXZ\x00": lzma.LZMAFile,
        b"\x28\xb5\x2f\xfd": _Zstd,
        b"\x04\x22\x4d\x18": lz4.frame.LZ4FrameFile,
    }
)
DAMAGED: tuple[type[Exception], ...] = (
    EOFError,
    OSError,
    RuntimeError,
    lzma.LZMAError,
    zlib.error,
    zstandard.ZstdError,
)
"""Exceptions that reading a damaged file raises."""
_MARKS: Mapping[bytes, str] = MappingProxyType(
    {
        # the longer marks first: UTF-32's begins with UTF-16's
        codecs.BOM_UTF32_LE: "utf-32-le",
        codecs.BOM_UTF32_BE: "utf-32-be",
        codecs.BOM_UTF8: "utf-8",
        codecs.BOM_UTF16_LE: "utf-16-le",
        codecs.BOM_UTF16_BE: "utf-16-be",
    }
)
_ZEROS: Mapping[tuple[bool, ...], str] = MappingProxyType(
    {
        (False, True, False, True): "utf-16-le",
        (True, False, True, False): "utf-16-be",
        (False, True, True, True): "utf-32-le",
        (True, True, True, False): "utf-32-be",
    }
)
