"""The output of commands: results on standard output, notes and progress on standard error."""

import json
import re
import shutil
import sys
import textwrap
from collections.abc import Mapping, Sequence
from enum import StrEnum
from time import monotonic
from typing import Self

import typer
from google.protobuf import json_format
from google.protobuf.message import Message
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

PLAIN_EVERY_S = 5.0

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class OutputFormat(StrEnum):
    TEXT = "text"
    JSON = "json"


def line(text: str = "") -> None:
    typer.echo(printable(text))


def note(text: str) -> None:
    """Print a note for the user. It is not part of the result."""
    typer.echo(printable(text), err=True)


def printable(text: str) -> str:
    """The text with control characters escaped, except line ends and tabs.

    Answers, ids and error messages come from others, and must not control the terminal.
    """
    return _CONTROL.sub(lambda match: f"\\x{ord(match[0]):02x}", text)


def json_line(value: Message | Mapping[str, object]) -> None:
    """One JSON object on one line."""
    typer.echo(json_text(value))


def json_text(value: Message | Mapping[str, object]) -> str:
    """One JSON object without line ends. Messages in protobuf's JSON mapping, as on the topics."""
    if isinstance(value, Message):
        return json_format.MessageToJson(value, indent=None, ensure_ascii=False)
    return json.dumps(value, ensure_ascii=False)


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Left-aligned columns, two spaces apart, as wide as the terminal (80 where there is none).

    Text that does not fit continues on the next line of its column. Words are never broken, so a table with
    very long words is wider.
    """
    cells = [list(head), *([str(cell) for cell in row] for row in rows)]
    widths = column_widths(cells, shutil.get_terminal_size((80, 24)).columns)
    for row in cells:
        columns = [_wrapped(cell, width) for cell, width in zip(row, widths, strict=True)]
        for k in range(max(len(column) for column in columns)):
            parts = [column[k] if k < len(column) else "" for column in columns]
            texts = (part.ljust(width) for part, width in zip(parts, widths, strict=True))
            line("  ".join(texts).rstrip())


def column_widths(cells: Sequence[Sequence[str]], total: int) -> list[int]:
    """The width of each column, for lines of at most `total` characters where possible. The column with the
    most room to wrap shrinks first."""
    columns = list(zip(*cells, strict=True))
    widths = [max(len(cell) for cell in column) for column in columns]
    least = [max(len(w) for cell in column for w in cell.split() or [""]) for column in columns]
    gaps = 2 * (len(widths) - 1)
    while sum(widths) + gaps > total:
        k = max(range(len(widths)), key=lambda k: widths[k] - least[k])
        if widths[k] == least[k]:
            break
        widths[k] = max(least[k], widths[k] - (sum(widths) + gaps - total))
    return widths


def paragraph(text: str, *, indent: int = 0) -> None:
    """Prose, wrapped at the terminal's width, every line indented."""
    width = max(40, shutil.get_terminal_size((80, 24)).columns)
    for row in _wrapped(text, width - indent):
        line(" " * indent + row)


def _wrapped(text: str, width: int) -> list[str]:
    if len(text) <= width:
        return [text]
    return textwrap.wrap(text, max(1, width), break_long_words=False, break_on_hyphens=False)


class ProgressCounter:
    """A counter that shows its progress: a bar on a terminal, else a line every few seconds."""

    def __init__(self, what: str, total: int) -> None:
        self._what = what
        self._total = total
        self._count = 0
        self._printed_at = monotonic()
        self._bar = _bar() if sys.stderr.isatty() else None
        self._task = None if self._bar is None else self._bar.add_task(what, total=total)

    def set(self, count: int) -> None:
        self._count = count
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=count)
        elif monotonic() - self._printed_at >= PLAIN_EVERY_S:
            self._printed_at = monotonic()
            note(f"{self._what}: {count} of {self._total}")

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()
        else:
            note(f"{self._what}: {self._count} of {self._total}")


def _bar() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
    )
