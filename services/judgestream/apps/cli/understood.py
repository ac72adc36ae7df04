"""What was understood of input files, and what was left out of them."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self, TextIO

import typer

from judgestream.apps.cli.input_files import Skipped
from judgestream.core.errors import ConfigurationError
from judgestream.core.formats.base import Converted
from judgestream.core.formats.fields import InvalidRecord
from judgestream.core.types import Label
from judgestream.terminal.exit_codes import ExitCode
from judgestream.terminal.output import note

PROBLEMS = 20
"""So many malformed rows are named in one run; the others are counted."""


@dataclass(kw_only=True, slots=True)
class Understood:
    """What was understood of files, counted."""

    requests: Counter[str] = field(default_factory=Counter)
    labels: Counter[str] = field(default_factory=Counter)
    unlabelled: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    malformed: int = 0

    def add(self, one: Converted | Label | Skipped) -> None:
        if isinstance(one, Skipped):
            self.skipped[one.reason] += 1
            self.malformed += one.malformed
        elif isinstance(one, Label):
            self.labels[one.annotator] += 1
        else:
            self.requests[one.request.mode] += 1
            self.labels.update(label.annotator for label in one.labels)
            self.unlabelled.update(reason.value for reason in one.unlabelled)

    def rows(self) -> Iterator[tuple[str, int]]:
        """For people: what was found, and how often."""
        for mode, count in sorted(self.requests.items()):
            yield f"requests, {mode}", count
        for annotator, count in self.labels.most_common(20):
            yield f"labels by {annotator}", count
        for reason, count in sorted(self.unlabelled.items()):
            yield f"no label, {reason}", count
        for reason, count in sorted(self.skipped.items()):
            yield f"not a request, {reason}", count

    def as_json(self) -> dict[str, object]:
        return {
            "requests": self.requests.total(),
            "labels": self.labels.total(),
            "unlabelled": dict(sorted(self.unlabelled.items())),
            "skipped": dict(sorted(self.skipped.items())),
        }


class Skips:
    """Where rows that are no requests go: into a file, or, when they are malformed, into one error that
    names them all. `expected` is how many requests there will be, 0 when that is unknown."""

    def __init__(self, path: Path | None) -> None:
        self.understood = Understood()
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
        self.understood.add(one)
        if not isinstance(one, Skipped):
            return
        if self._file is not None:
            self._file.write(json.dumps(one.record(), ensure_ascii=False) + "\n")
        elif one.malformed and len(self._problems) < PROBLEMS:
            self._problems.append(str(one.problem))

    @property
    def keeps(self) -> bool:
        """Whether malformed rows may be skipped: their places and reasons go into a file."""
        return self._path is not None

    def check(self, forgiving: bool = False) -> None:
        """Raises InvalidRecord when rows are malformed and may not be skipped."""
        if forgiving or not self._problems:
            return
        more = self.understood.malformed - len(self._problems)
        rest = f"\nand {more} more" if more > 0 else ""
        many = "\n(--skip-bad FILE sends the others, and writes these to a file)"
        several = many if self.understood.requests else ""
        raise InvalidRecord("\n".join(self._problems) + rest + several)

    def tell(self) -> None:
        """Say what was left out, and why."""
        for reason, count in sorted(self.understood.skipped.items()):
            note(f"{count} rows are not requests: {reason}")
        for reason, count in sorted(self.understood.unlabelled.items()):
            note(f"{count} labels were left out: {reason}")
        if self._path is not None and self.understood.skipped:
            note(f"their places and reasons are in {self._path}")

    def exit(self) -> None:
        """End the command with 1 when rows were left out."""
        if self.understood.skipped:
            raise typer.Exit(ExitCode.NO)
