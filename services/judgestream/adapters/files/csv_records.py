"""CSV and TSV: the delimiter is found in the header, quoted cells may hold newlines, all values are text."""

import csv
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path

from judgestream.adapters.files.json_records import Bad, Records
from judgestream.adapters.files.json_values import MAX_VALUE_CHARS, not_utf8
from judgestream.adapters.files.opening import Bytes
from judgestream.core.formats.fields import InvalidRecord, Place

DELIMITERS = (",", ";", "\t", "|")
_HEADER_LINES = 20
"""A header may hold newlines, but rarely more than these."""


def read_csv(name: str, file: Bytes, bad: Bad) -> Records:
    """The rows below the header, as texts by column. An empty cell is an empty text.

    `bad` is called with each row whose number of cells differs from the header's, or whose quotes are
    broken; it raises, or returns to continue with the next row.

    Raises:
        InvalidRecord: the header names a column twice, or the text is not UTF-8.
    """
    csv.field_size_limit(MAX_VALUE_CHARS)
    lines = _decoded(name, file)
    head = list(islice(lines, _HEADER_LINES))
    if not head:
        return
    skipped = 0
    delimiter = _declared(head[0])
    if delimiter is not None:
        head, skipped = head[1:], 1
    else:
        delimiter = sniffed(head)
    header = _first_row(head, delimiter)
    windows = head[0].endswith("\r\n")
    spaced = any(cell.startswith(" ") for cell in header[1:])
    columns = [cell.strip() for cell in header]
    twice = sorted({column for column in columns if column and columns.count(column) > 1})
    if twice:
        raise InvalidRecord(
            f"{name}, line {skipped + 1}: the header names {twice[0]!r} twice: rename one column"
        )
    reader = csv.reader(
        chain(head, lines), delimiter=delimiter, strict=True, skipinitialspace=spaced
    )
    next(reader, None)
    while True:
        place = Place(file=name, number=reader.line_num + 1 + skipped)
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as exc:
            problem = f"not CSV ({exc}): quote the cell, and write quotes inside it twice"
            bad(InvalidRecord(f"{place}: {problem}"))
            continue
        if not cells:
            continue
        if len(cells) != len(columns):
            problem = f"has {len(cells)} cells, and the header has {len(columns)}"
            bad(InvalidRecord(f"{place}: {problem}: quote cells that hold the delimiter"))
            continue
        if windows:  # lines inside a cell end like those of the file
            cells = [cell.replace("\r\n", "\n") for cell in cells]
        yield place, {c: v for c, v in zip(columns, cells, strict=True) if c}


def looks_like_csv(head: str) -> bool:
    """Whether the first line of a file without a telling suffix is a header of two columns or more."""
    lines = head.splitlines()[:1]
    return bool(lines) and len(_first_row(lines, sniffed(lines))) > 1


def is_csv(path: Path) -> bool:
    return bool({".csv", ".tsv", ".tab"} & {suffix.lower() for suffix in path.suffixes})


def sniffed(head: list[str]) -> str:
    """The delimiter that cuts the header into the most cells."""
    return max(DELIMITERS, key=lambda delimiter: len(_first_row(head, delimiter)))


def _declared(line: str) -> str | None:
    """The delimiter that Excel's first line `sep=;` names."""
    text = line.strip("\r\n")
    return text[4:] if text.lower().startswith("sep=") and len(text) == 5 else None


def _first_row(lines: list[str], delimiter: str) -> list[str]:
    try:
        return next(csv.reader(lines, delimiter=delimiter), [])
    except csv.Error:
        return []


def _decoded(name: str, file: Bytes) -> Iterator[str]:
    number = 0
    while raw := file.readline(MAX_VALUE_CHARS):
        number += 1
        try:
            yield raw.decode()
        except UnicodeDecodeError as exc:
            raise InvalidRecord(f"{name}, line {number}: {not_utf8(exc)}") from exc
