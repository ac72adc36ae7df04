"""Everything the teacher has ever said into this folder: `judgements.jsonl`, appended to and never edited.

A line is in the kernel's hands as soon as its judgement is there, so it outlives the process; every few lines
are forced to the disk, so most outlive the machine. A last line that was cut off is dropped.
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
"""Lines between two calls of fsync: what a power cut may cost."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One answer, or what took its place.

    key        see `prompts.PromptBuilder.key`
    finish     why the reply ended; "length": it was cut off
    refused    the code of an error that will come again with this prompt; `text` is then its message
    lost       no reply came in time, but it may have been paid for; to be asked again
    estimated  the endpoint did not say how many tokens it took: the counts are upper bounds
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
    """The folder's `answers` by key, where the last one counts; `all_entries` tell what was spent."""

    def __init__(self, file: FileIO, entries: list[Entry]) -> None:
        self._file = file
        self._unsynced = 0
        self.all_entries = entries
        self.answers = {entry.key: entry for entry in entries if not entry.lost}

    def append(self, entry: Entry) -> None:
        """Keep an entry.

        Raises:
            ConfigurationError: the disk does not take it. A cut line may remain; the next start drops it.
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
                f"{self._file.name!s} cannot be written: {reason}; make room and run the command again"
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
    """The folder's journal, for one process at a time.

    Raises:
        ConfigurationError: the folder cannot be written to, another build is at work in it, or a line in the
            middle of the file is damaged.
    """
    path = folder / NAME
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = FileIO(path, "a")  # unbuffered: a line is out of our hands when it is written
    except OSError as exc:
        raise ConfigurationError(f"{path} cannot be written: {exc.strerror or exc}") from exc
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            raise ConfigurationError(
                f"another build is at work in {folder}: wait for it, or write to another folder"
            ) from exc
        entries, whole = _read(path)
        file.truncate(whole)
        journal = Journal(file, entries)
        try:
            yield journal
        finally:
            journal.sync()


def _read(path: Path) -> tuple[list[Entry], int]:
    """The file's entries, and how many bytes they take: without a last line that was cut off."""
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
                    f"{path}, line {number}: not an entry of a journal ({exc}): delete that line, and its"
                    " judgement is asked again"
                ) from exc
    return entries, whole
