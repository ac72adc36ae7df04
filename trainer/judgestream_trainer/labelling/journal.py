"""Append-only journal of all replies of the teacher, `judgements.jsonl`.

A line is written unbuffered as soon as its reply arrives, so it survives a crash of the process; fsync runs
every `FSYNC_EVERY` lines, which bounds the loss in a power failure. An incomplete last line is dropped.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from io import FileIO
from pathlib import Path

from judgestream.core.errors import ConfigurationError

NAME = "judgements.jsonl"
FSYNC_EVERY = 32
"""Lines between two calls of fsync: the most that a power failure can lose."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One reply, or the reason why there is none.

    key        see `prompts.PromptBuilder.key`
    finish     finish reason of the reply; "length": it was truncated
    refused    code of a permanent error for this prompt; `text` holds its message
    lost       no reply before the deadline; it may have been charged, and the prompt is sent again
    estimated  the endpoint sent no token counts: these are upper bounds
    """

    key: str
    text: str = ""
    finish: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    refused: str = ""
    lost: bool = False
    estimated: bool = False


class Journal:
    """`answers` holds the last reply per key; `all_entries` holds every entry, for the cost."""

    def __init__(self, file: FileIO, entries: list[Entry]) -> None:
        self._file = file
        self._unsynced = 0
        self.all_entries = entries
        self.answers = {entry.key: entry for entry in entries if not entry.lost}

    def append(self, entry: Entry) -> None:
        """Append an entry.

        Raises:
            ConfigurationError: the write failed. A partial line may remain; the next start drops it.
        """
        given = {name: value for name, value in asdict(entry).items() if value}
        line = json.dumps(given, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"
        try:
            whole = self._file.write(line) == len(line)
            reason = "the disk is full"
        except OSError as exc:
            whole, reason = False, exc.strerror or str(exc)
        if not whole:
            raise ConfigurationError(
                f"cannot write {self._file.name!s}: {reason}. Free disk space and run the command again"
            )
        self._unsynced += 1
        if self._unsynced >= FSYNC_EVERY:
            self.sync()
        self.all_entries.append(entry)
        if not entry.lost:
            self.answers[entry.key] = entry

    def sync(self) -> None:
        os.fsync(self._file.fileno())
        self._unsynced = 0


@contextmanager
def open_journal(folder: Path) -> Iterator[Journal]:
    """The directory's journal, locked against other processes.

    Raises:
        ConfigurationError: the directory is not writable, another build runs in it, or a line other than the
            last is damaged.
    """
    path = folder / NAME
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = FileIO(path, "a")  # unbuffered: a written line survives a crash of the process
    except OSError as exc:
        raise ConfigurationError(f"cannot write {path}: {exc.strerror or exc}") from exc
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            raise ConfigurationError(
                f"another build is running in {folder}: wait for it, or choose another directory"
            ) from exc
        entries, whole = _read(path)
        file.truncate(whole)
        journal = Journal(file, entries)
        try:
            yield journal
        finally:
            journal.sync()


def _read(path: Path) -> tuple[list[Entry], int]:
    """The file's entries and their size in bytes, without an incomplete last line."""
    entries: list[Entry] = []
    whole = 0
    with path.open("rb") as file:
        for number, raw in enumerate(file, start=1):
            if not raw.endswith(b"\n"):
                break
            whole += len(raw)
            try:
                entries.append(Entry(**json.loads(raw)))
            except (ValueError, TypeError) as exc:
                raise ConfigurationError(
                    f"{path}, line {number}: invalid journal entry ({exc}). Delete the line: its prompt is"
                    " then sent again"
                ) from exc
    return entries, whole
