"""Incremental JSON reader: memory holds one value, not the file.

Our own code instead of `ijson`, which rejects the NaN that Python and pandas write and cannot distinguish an
object that is a record from one that holds the rows.
"""

import codecs
import json
from collections.abc import Callable, Iterator
from typing import NoReturn

from judgestream.adapters.files.opening import CHUNK, Bytes
from judgestream.core.formats.fields import InvalidRecord

MAX_VALUE_CHARS = 64 << 20
"""A value that is incomplete after this many characters is malformed."""
ROWS = frozenset(
    ("data", "rows", "records", "examples", "instances", "items", "results", "entries", "dataset")
)
"""Under these names an object holds its rows as a list."""
_BLANK = " \t\r\n"


class Window:
    """The values of a JSON text, one by one. Raises InvalidRecord."""

    def __init__(self, file: Bytes, name: str, begun: bytes = b"") -> None:
        """`begun`: bytes of the file that were read before."""
        self._file = file
        self._name = name
        self._utf8 = codecs.getincrementaldecoder("utf-8")()
        self._buffer = self._decoded(begun)
        self._at = 0
        self._decode: Callable[[str, int], tuple[object, int]] = json.JSONDecoder().raw_decode

    def array(self) -> Iterator[object]:
        """The entries of the next array."""
        self._expect("[")
        if self.peek() == "]":
            self._expect("]")
            return
        yield self.value()
        while self._expect(",]") == ",":
            yield self.value()

    def rows_inside(self, gathered: dict[str, object]) -> Iterator[object]:
        """The rows inside the next object, incrementally; its other members go into `gathered`.

        Rows are a list under one of the names in `ROWS` whose first entry is an object (or a list, after
        `columns`, as pandas writes it with orient="split").
        """
        self._expect("{")
        if self.peek() == "}":
            self._expect("}")
            return
        while True:
            if self.peek() != '"':
                self._refuse(f"{self.peek()!r} found where a field's name is expected")
            name = str(self.value())
            self._expect(":")
            if name in ROWS and self._holds_rows(gathered):
                yield from self.array()
            else:
                gathered[name] = self.value()
            if self._expect(",}") == "}":
                return

    def value(self) -> object:
        """The next value."""
        self.peek()
        while True:
            start = self._at
            try:
                found, self._at = self._decode(self._buffer, start)
            except (ValueError, RecursionError) as exc:
                # the buffer may end inside the value: read more
                if len(self._buffer) - start > MAX_VALUE_CHARS or not self._widen():
                    self._refuse(str(exc))
            else:
                if self._at < len(self._buffer) or isinstance(found, str | dict | list):
                    return found
                # a number may continue after the buffer's end
                end, self._at = self._at - start, start
                if not self._widen():
                    self._at = end
                    return found

    def peek(self) -> str:
        """The next character that is not blank, "" at the end of the file."""
        while True:
            while self._at < len(self._buffer) and self._buffer[self._at] in _BLANK:
                self._at += 1
            if self._at < len(self._buffer):
                return self._buffer[self._at]
            if not self._widen():
                return ""

    def end(self, what: str) -> None:
        """Reject anything that follows."""
        if self.peek():
            self._refuse(f"unexpected text after the end of the {what}")

    def _holds_rows(self, gathered: dict[str, object]) -> bool:
        if self.peek() != "[":
            return False
        self._at += 1
        first = self.peek()
        # `peek` may have advanced the buffer: put the bracket back in front
        self._buffer, self._at = "[" + self._buffer[self._at :], 0
        return first == "{" or (first == "[" and isinstance(gathered.get("columns"), list))

    def _expect(self, wanted: str) -> str:
        """Consume the next character that is not blank, one of `wanted`. Returns it."""
        found = self.peek()
        if not found or found not in wanted:
            problem = f"found {found!r}" if found else "the file ends"
            self._refuse(f"{problem} where {' or '.join(wanted)} is expected")
        self._at += 1
        return found

    def _widen(self) -> bool:
        """Read more, at least doubling the unread part. False at the end of the file."""
        rest, more, raw = self._buffer[self._at :], "", b"."
        while raw and not more:  # a chunk may end inside a character and give none
            raw = self._file.read(max(CHUNK, len(rest)))
            more = self._decoded(raw)
        self._buffer, self._at = rest + more, 0
        return bool(more)

    def _decoded(self, raw: bytes) -> str:
        try:
            return self._utf8.decode(raw, final=not raw)
        except UnicodeDecodeError as exc:
            self._refuse(not_utf8(exc))

    def _refuse(self, problem: str) -> NoReturn:
        raise InvalidRecord(f"{self._name}: not JSON: {problem}")


def not_utf8(exc: UnicodeDecodeError) -> str:
    """The problem, and how to convert the file."""
    byte = exc.object[exc.start]
    return (
        f"the text is not UTF-8 (byte 0x{byte:02x} at {exc.start}): convert the file first,"
        " for example `iconv -f LATIN1 -t UTF-8 OLD > NEW`"
    )
