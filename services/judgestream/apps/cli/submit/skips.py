"""The rows of input files that are not requests: reported, or written to a file."""

import json
from pathlib import Path
from typing import Self, TextIO

import typer

from judgestream.adapters.files.import_counts import ImportCounts
from judgestream.adapters.files.requests import Skipped
from judgestream.core.errors import ConfigurationError
from judgestream.core.formats.base import Converted
from judgestream.core.formats.fields import InvalidRecord
from judgestream.core.types import Label
from judgestream.terminal.exit_codes import ExitCode
from judgestream.terminal.output import note

PROBLEMS = 20
"""Malformed rows that one run names; the others are counted."""


class Skips:
    """Writes the rows that are not requests to a file, or raises one error that names the malformed ones.

    expected   number of requests in the files; 0 where that is unknown
    """

    def __init__(self, path: Path | None) -> None:
        self.counts = ImportCounts()
        self.expected = 0
        self._path = path
        self._file: TextIO | None = None
        self._problems: list[str] = []

    def __enter__(self) -> Self:
        if self._path is not None:
            try:
                self._file = self._path.open("w", encoding="utf-8")
            except OSError as exc:
                raise ConfigurationError(
                    f"{self._path} cannot be written: {exc.strerror or exc}"
                ) from exc
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def add(self, one: Converted | Label | Skipped) -> None:
        self.counts.add(one)
        if not isinstance(one, Skipped):
            return
        if self._file is not None:
            self._file.write(json.dumps(one.record(), ensure_ascii=False) + "\n")
        elif one.malformed and len(self._problems) < PROBLEMS:
            self._problems.append(str(one.problem))

    @property
    def keeps(self) -> bool:
        """Whether malformed rows may be skipped, because a file records their places and reasons."""
        return self._path is not None

    def check(self, forgiving: bool = False) -> None:
        """Raise InvalidRecord when rows are malformed and may not be skipped."""
        if forgiving or not self._problems:
            return
        more = self.counts.malformed - len(self._problems)
        rest = f"\nand {more} more" if more > 0 else ""
        many = "\n(with --skip-bad FILE the valid rows are sent, and these are written to FILE)"
        several = many if self.counts.requests else ""
        raise InvalidRecord("\n".join(self._problems) + rest + several)

    def report(self) -> None:
        """Print how many rows were left out, by reason."""
        for reason, count in sorted(self.counts.skipped.items()):
            note(f"{count} rows are not requests: {reason}")
        for reason, count in sorted(self.counts.unlabelled.items()):
            note(f"{count} labels were left out: {reason}")
        if self._path is not None and self.counts.skipped:
            note(f"places and reasons: {self._path}")

    def exit(self) -> None:
        """End the command with 1 when rows were left out."""
        if self.counts.skipped:
            raise typer.Exit(ExitCode.NO)
