"""Readers of record files in every supported container: bytes -> records with their places.

A container is recognised by its first bytes, and by its name where those leave it open. Memory holds one
record (of Parquet and Arrow a small batch), not the file.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NoReturn

from judgestream.adapters.files.columnar import is_columnar, read_columnar
from judgestream.adapters.files.csv_records import is_csv, looks_like_csv, read_csv
from judgestream.adapters.files.folders import expanded
from judgestream.adapters.files.json_records import Bad, Records, read_json
from judgestream.adapters.files.json_values import not_utf8
from judgestream.adapters.files.opening import (
    DAMAGED,
    STDIN,
    Bytes,
    as_utf8,
    display_name,
    opened,
)
from judgestream.adapters.files.refusing import foreign
from judgestream.core.errors import ConfigurationError
from judgestream.core.formats.fields import InvalidRecord, Place

__all__ = ["STDIN", "display_name", "expanded", "read_records"]

WORDS = "line"
"""The field of a record that is one bare line of a text file."""
_HEAD = 4096


def refuse(problem: InvalidRecord) -> NoReturn:
    """The default handler of bad records: raise."""
    raise problem


def read_records(path: Path, bad: Bad = refuse) -> Iterator[tuple[Place, Mapping[str, object]]]:
    """The records of a file, or of all files of a folder, with their places, one at a time.

    JSON lines, JSON (an object, an array, rows inside an object), CSV and TSV, Parquet, Arrow; compressed
    or not; UTF-8, UTF-16 and UTF-32, with or without a byte order mark; blank lines are skipped.
    A `.txt` file of bare lines gives one record `{"line": ...}` each.

    Args:
        bad: is called with every unreadable record. It raises, or returns to continue with the next one.

    Raises:
        ConfigurationError: the file cannot be read, or its kind holds no records.
        InvalidRecord: the file is malformed beyond recovery, or `bad` raised.
    """
    for file in expanded([path]):
        yield from _read(file, bad)


def _read(path: Path, bad: Bad) -> Records:
    name = display_name(path)
    try:
        with opened(path) as file:
            head = file.peek(_HEAD)[:_HEAD]
            reason = foreign(head)
            if reason is not None:
                raise ConfigurationError(f"{name} {reason}")
            if is_columnar(head):
                plain = path != STDIN and _begins(path, head)
                yield from read_columnar(name, path if plain else None, file)
                return
            yield from _text(name, path, as_utf8(file), bad)
    except UnicodeDecodeError as exc:
        raise InvalidRecord(f"{name}: {not_utf8(exc)}") from exc
    except DAMAGED as exc:
        reason = getattr(exc, "strerror", None) or str(exc)
        raise ConfigurationError(f"{name} cannot be read: {reason}") from exc


def _begins(path: Path, head: bytes) -> bool:
    """Whether the file itself begins with `head`: it is not compressed."""
    with path.open("rb") as file:
        return file.read(8) == head[:8]


def _text(name: str, path: Path, file: Bytes, bad: Bad) -> Records:
    head = file.peek(_HEAD)[:_HEAD]
    if head.lstrip()[:1] in (b"{", b"[", b""):
        yield from read_json(name, file, bad)
    elif is_csv(path):
        yield from read_csv(name, file, bad)
    elif path.suffix.lower() == ".txt":
        yield from _words(name, file)
    elif _json_name(path) or not looks_like_csv(head.decode(errors="replace")):
        yield from read_json(name, file, bad)
    else:
        yield from read_csv(name, file, bad)


def _json_name(path: Path) -> bool:
    return bool({".json", ".jsonl", ".ndjson"} & {suffix.lower() for suffix in path.suffixes})


def _words(name: str, file: Bytes) -> Records:
    for number, raw in enumerate(file, start=1):
        place = Place(file=name, number=number)
        try:
            text = raw.decode().strip()
        except UnicodeDecodeError as exc:
            raise InvalidRecord(f"{place}: {not_utf8(exc)}") from exc
        if text:
            yield place, {WORDS: text}
