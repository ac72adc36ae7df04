"""Records of JSON files: JSON lines, one object over many lines, an array, or rows inside an object."""

import json
from collections.abc import Callable, Iterator, Mapping

from judgestream.adapters.files.json_values import MAX_VALUE_CHARS, ROWS, Window, not_utf8
from judgestream.adapters.files.opening import Bytes
from judgestream.core.formats.fields import InvalidRecord, Place, kind

Records = Iterator[tuple[Place, Mapping[str, object]]]
Bad = Callable[[InvalidRecord], None]
_SPLITS = frozenset(("train", "validation", "valid", "val", "dev", "test", "eval"))
MAX_FIRST = 2 << 20
"""A longer first line is read incrementally: it may be the whole file."""
_NOT_JSON = "not JSON ({}): write one JSON object a line, or one JSON array a file"


def read_json(name: str, file: Bytes, bad: Bad) -> Records:
    """The records. `bad` is called with each invalid one; it raises, or returns to continue with the next.

    Raises:
        InvalidRecord: an array or an object over many lines is malformed; nothing after it can be read.
    """
    if file.peek(1).lstrip()[:1] == b"[":
        yield from _array(name, Window(file, name), bad)
        return
    number, first = _next_line(file, 0, MAX_FIRST)
    if not first:
        return
    if first.lstrip()[:1] == b"[":
        yield from _array(name, Window(file, name, first), bad)
        return
    if len(first) == MAX_FIRST and not first.endswith(b"\n"):
        yield from _objects(name, Window(file, name, first), bad)
        return
    value = _value(first)
    if isinstance(value, dict):
        following, second = _next_line(file, number, MAX_VALUE_CHARS)
        if not second:
            yield from _unwrapped(name, value, number, "line", bad)
            return
        yield Place(file=name, number=number), value
        yield from _lines(name, file, following, second, bad)
        return
    following, second = _next_line(file, number, MAX_VALUE_CHARS)
    if first.lstrip()[:1] == b"{" and not isinstance(_value(second), dict):
        yield from _objects(name, Window(file, name, first + second), bad)
        return
    _line(name, number, first, bad)
    if second:
        yield from _lines(name, file, following, second, bad)


def _next_line(file: Bytes, number: int, limit: int) -> tuple[int, bytes]:
    """The next line that is not blank, with its number; empty at the end of the file."""
    while raw := file.readline(limit):
        number += 1
        if raw.strip():
            return number, raw
    return number, b""


def _lines(name: str, file: Bytes, number: int, raw: bytes, bad: Bad) -> Records:
    """JSON lines from `raw`, which is line `number`."""
    load, readline = json.loads, file.readline
    while raw:
        try:
            value = load(raw.decode())
        except (ValueError, RecursionError):
            value = _line(name, number, raw, bad) if raw.strip() else None
        if type(value) is dict:
            yield Place(file=name, number=number), value
        elif value is not None or raw.strip() == b"null":
            bad(_no_object(Place(file=name, number=number), value))
        if len(raw) == MAX_VALUE_CHARS and raw[-1:] != b"\n":
            _skip_line(file)
        raw = readline(MAX_VALUE_CHARS)
        number += 1


def _skip_line(file: Bytes) -> None:
    """Skip the rest of a line that is too long to be a record."""
    while (raw := file.readline(MAX_VALUE_CHARS)) and raw[-1:] != b"\n":
        pass


def _line(name: str, number: int, raw: bytes, bad: Bad) -> object:
    """The line's value; None after a call of `bad` if it is invalid."""
    place = Place(file=name, number=number)
    try:
        return json.loads(raw.decode().strip("\ufeff"))
    except UnicodeDecodeError as exc:
        bad(InvalidRecord(f"{place}: {not_utf8(exc)}"))
    except (ValueError, RecursionError) as exc:
        bad(InvalidRecord(f"{place}: {_NOT_JSON.format(exc)}"))
    return None


def _value(raw: bytes) -> object:
    """The line's value; None if the line alone is not JSON."""
    try:
        return json.loads(raw.decode())
    except (ValueError, RecursionError):
        return None


def _array(name: str, window: Window, bad: Bad) -> Records:
    for number, entry in enumerate(window.array(), start=1):
        place = Place(file=name, number=number, unit="record")
        if type(entry) is dict and "row_idx" not in entry:
            yield place, entry
        else:
            yield from _entry(place, entry, bad)
    window.end("array")


def _objects(name: str, window: Window, bad: Bad) -> Records:
    """One or more objects, each over any number of lines."""
    gathered: dict[str, object] = {}
    number = 0
    for number, entry in enumerate(window.rows_inside(gathered), start=1):
        yield from _entry(
            Place(file=name, number=number, unit="record"), _row(entry, gathered), bad
        )
    if number == 0 and not window.peek():
        yield from _unwrapped(name, gathered, 1, "record", bad)
        return
    if number == 0:
        number = 1
        yield Place(file=name, number=number, unit="record"), gathered
    while window.peek():
        number += 1
        yield from _entry(Place(file=name, number=number, unit="record"), window.value(), bad)


def _entry(place: Place, value: object, bad: Bad) -> Records:
    if isinstance(value, dict):
        # Hugging Face's dataset server wraps each row in an envelope
        row = value.get("row") if "row_idx" in value else None
        yield place, row if isinstance(row, dict) else value
    else:
        bad(_no_object(place, value))


def _no_object(place: Place, value: object) -> InvalidRecord:
    return InvalidRecord(f"{place}: a record must be a JSON object, not {kind(value)}")


def _unwrapped(name: str, value: Mapping[str, object], number: int, unit: str, bad: Bad) -> Records:
    """The rows inside a file's only object; the object itself if it holds none."""
    rows = next((r for key in sorted(ROWS) if (r := _rows(value, key)) is not None), None)
    if rows is None:
        rows = _columns(value)
    if rows is None:
        place = Place(file=name, number=number, unit="line" if unit == "line" else "record")
        yield place, value
        return
    for k, row in enumerate(rows, start=1):
        yield from _entry(Place(file=name, number=k, unit="record"), _row(row, value), bad)


def _rows(value: Mapping[str, object], key: str) -> list[object] | None:
    rows = value.get(key)
    if not isinstance(rows, list) or not rows:
        return None
    split = isinstance(rows[0], list) and isinstance(value.get("columns"), list)
    return rows if split or isinstance(rows[0], dict) else None


def _row(row: object, around: Mapping[str, object]) -> object:
    """A row as a mapping by column; pandas writes it as a list with orient="split"."""
    columns = around.get("columns")
    if not isinstance(row, list) or not isinstance(columns, list) or len(row) != len(columns):
        return row
    return dict(zip(map(str, columns), row, strict=True))


def _columns(value: Mapping[str, object]) -> list[object] | None:
    """The rows of an object that holds columns, splits or numbered rows; None if it is a record.

    Columns are lists of one length, of which at least one holds plain values, and none holds messages.
    """
    parts = list(value.values())
    if len(parts) > 1 and all(isinstance(part, dict) for part in parts):
        keys = [list(part) for part in parts if isinstance(part, dict)]
        if all(key.isdigit() for key in value):
            return parts
        if keys[0] and all(own == keys[0] for own in keys) and all(k.isdigit() for k in keys[0]):
            return [
                {name: column[key] for name, column in value.items() if isinstance(column, dict)}
                for key in keys[0]
            ]
    lists = [part for part in parts if isinstance(part, list)]
    if not lists or len(lists) != len(parts):
        return None
    if set(value) <= _SPLITS:
        return [row for part in lists for row in part]
    plain = any(part and all(isinstance(v, str | int | float) for v in part) for part in lists)
    messages = any(isinstance(v, dict) and "role" in v for part in lists for v in part)
    if len({len(part) for part in lists}) != 1 or len(lists) < 2 or not plain or messages:
        return None
    return [dict(zip(value, row, strict=True)) for row in zip(*lists, strict=True)]
