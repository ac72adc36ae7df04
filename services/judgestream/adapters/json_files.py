"""Files of JSON records: JSON lines or one JSON array, plain or gzip, from a path or standard input."""

import gzip
import io
import json
import sys
import zlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NoReturn, TypeAlias, cast

from judgestream.core.errors import ConfigurationError
from judgestream.core.formats.fields import InvalidRecord, Place, kind

STDIN = Path("-")
MAX_ENTRY_CHARS = 64 << 20
"""An array's entry that is not complete after so many characters is taken to be broken."""

Bytes: TypeAlias = "io.BufferedReader[Any]"
_GZIP = b"\x1f\x8b"
_MARK = b"\xef\xbb\xbf"
_BLANK = " \t\r\n"
_CHUNK = 1 << 20


def read_records(path: Path) -> Iterator[tuple[Place, Mapping[str, object]]]:
    """The file's JSON objects with their places, one at a time: memory holds one record, not the file.

    UTF-8, with or without a byte order mark; blank lines are passed over.

    Raises:
        ConfigurationError: the file cannot be read.
        InvalidRecord: something in it is no JSON object; the message names file and place.
    """
    name = "standard input" if path == STDIN else str(path)
    try:
        with _open(path) as file:
            if _first_byte(file) == b"[":
                yield from _array(name, file)
            else:
                yield from _lines(name, file)
    except (OSError, EOFError, zlib.error) as exc:  # the last two: a damaged gzip file
        reason = getattr(exc, "strerror", None) or exc
        raise ConfigurationError(f"{name} cannot be read: {reason}") from exc


@contextmanager
def _open(path: Path) -> Iterator["Bytes"]:
    """The file's bytes, unpacked if need be. Standard input is left open."""
    raw: Bytes
    with ExitStack() as stack:
        if path == STDIN:
            raw = io.BufferedReader(cast("io.RawIOBase", sys.stdin.buffer))
            stack.callback(raw.detach)
        else:
            raw = path.open("rb")
            stack.callback(raw.close)
        if raw.peek(2)[:2] == _GZIP:
            unpacked = stack.enter_context(gzip.GzipFile(fileobj=raw))
            raw = io.BufferedReader(cast("io.RawIOBase", unpacked))
        yield raw


def _first_byte(file: "Bytes") -> bytes:
    """The first byte that is neither space nor byte order mark. The mark is read over, nothing else."""
    head = file.peek(64)
    if head.startswith(_MARK):
        file.read(len(_MARK))
        head = head[len(_MARK) :]
    return head.lstrip()[:1]


def _lines(name: str, file: "Bytes") -> Iterator[tuple[Place, Mapping[str, object]]]:
    for number, raw in enumerate(file, start=1):
        if not raw.strip():
            continue
        place = Place(file=name, number=number)
        try:
            value = json.loads(raw)
        except (ValueError, RecursionError) as exc:
            raise InvalidRecord(
                f"{place}: not JSON ({exc}): write one JSON object a line, or one JSON array a file"
            ) from exc
        yield place, _object(place, value)


def _array(name: str, file: "Bytes") -> Iterator[tuple[Place, Mapping[str, object]]]:
    window = _Window(io.TextIOWrapper(file, encoding="utf-8"), name)
    try:
        for number, entry in enumerate(window.entries(), start=1):
            place = Place(file=name, number=number, unit="record")
            yield place, _object(place, entry)
    finally:
        window.release()


class _Window:
    """A JSON array read through a window that moves over the text. Complains by InvalidRecord."""

    def __init__(self, text: io.TextIOWrapper, name: str) -> None:
        self._text = text
        self._name = name
        self._buffer = ""
        self._at = 0
        self._decoder = json.JSONDecoder()

    def release(self) -> None:
        """Let go of the file without closing it."""
        self._text.detach()

    def entries(self) -> Iterator[object]:
        """The entries of the array that makes up the whole text."""
        self._expect("[")
        if self._peek() == "]":
            self._expect("]")
        else:
            yield self._entry()
            while self._expect(",]") == ",":
                yield self._entry()
        if self._peek():
            self._refuse("something follows the end of the array")

    def _expect(self, wanted: str) -> str:
        """Step over the next character that is not blank, one of `wanted`. Returns it."""
        found = self._peek()
        if not found or found not in wanted:
            problem = f"{found!r} stands" if found else "the file ends"
            self._refuse(f"{problem} where {' or '.join(wanted)} should")
        self._at += 1
        return found

    def _entry(self) -> object:
        self._peek()
        while True:
            try:
                entry, self._at = self._decoder.raw_decode(self._buffer, self._at)
            except (ValueError, RecursionError) as exc:
                # perhaps the window ends inside the entry; a wider one decides
                if len(self._buffer) - self._at > MAX_ENTRY_CHARS or not self._widen():
                    self._refuse(str(exc))
            else:
                return entry

    def _peek(self) -> str:
        """The next character that is not blank, "" at the end of the file."""
        while True:
            while self._at < len(self._buffer) and self._buffer[self._at] in _BLANK:
                self._at += 1
            if self._at < len(self._buffer):
                return self._buffer[self._at]
            if not self._widen():
                return ""

    def _widen(self) -> bool:
        """Read on, at least doubling what is not yet read over. False at the end of the file."""
        rest = self._buffer[self._at :]
        try:
            more = self._text.read(max(_CHUNK, len(rest)))
        except ValueError as exc:  # not UTF-8
            self._refuse(str(exc))
        self._buffer, self._at = rest + more, 0
        return bool(more)

    def _refuse(self, problem: str) -> NoReturn:
        raise InvalidRecord(f"{self._name}: not a JSON array: {problem}")


def _object(place: Place, value: object) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise InvalidRecord(f"{place}: a record must be a JSON object, not {kind(value)}")
    return value
