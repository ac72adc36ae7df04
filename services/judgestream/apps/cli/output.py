"""What commands write: results on standard output, notes and progress on standard error."""

import json
import re
import sys
from collections.abc import Mapping, Sequence
from enum import StrEnum
from time import monotonic
from types import TracebackType
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
    """For the person at the terminal; never part of the result."""
    typer.echo(printable(text), err=True)


def printable(text: str) -> str:
    """The text with control characters spelled out, but for line ends and tabs.

    Answers, ids and error messages are other people's: none of them may move a cursor or rename a window.
    """
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def json_line(value: Message | Mapping[str, object]) -> None:
    """One JSON object on one line."""
    typer.echo(json_text(value))


def json_text(value: Message | Mapping[str, object]) -> str:
    """One JSON object without line ends. Messages in protobuf's JSON mapping, as on the topics."""
    if isinstance(value, Message):
        return json_format.MessageToJson(value, indent=None, ensure_ascii=False)
    return json.dumps(value, ensure_ascii=False)


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Left-aligned columns, two spaces apart. Never wrapped or cut: pipes and grep read it too."""
    cells = [list(head), *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(row[k]) for row in cells) for k in range(len(head))]
    for row in cells:
        line("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


class Counter:
    """Progress of something that is counted: a bar on a terminal, else a line every few seconds."""

    def __init__(self, what: str, total: int) -> None:
        self._what = what
        self._total = total
        self._count = 0
        self._told_at = monotonic()
        self._bar = _bar() if sys.stderr.isatty() else None
        self._task = None if self._bar is None else self._bar.add_task(what, total=total)

    def set(self, count: int) -> None:
        self._count = count
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=count)
        elif monotonic() - self._told_at >= PLAIN_EVERY_S:
            self._told_at = monotonic()
            note(f"{self._what}: {count} of {self._total}")

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
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
