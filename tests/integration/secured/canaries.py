"""A search for secrets where nobody should find them: files, process titles, what a server holds."""

import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import psutil


def files_with(
    secrets: Iterable[str], folder: Path, *, without: tuple[str, ...] = ()
) -> Mapping[str, int]:
    """Name of every file below the folder that contains one of the secrets -> its permission bits.

    `without`: endings of the names of files to pass over.
    """
    wanted = [secret.encode() for secret in secrets]
    found: dict[str, int] = {}
    for path in _files(folder):
        if path.name.endswith(without):
            continue
        content = path.read_bytes()
        if any(secret in content for secret in wanted):
            found[str(path.relative_to(folder))] = stat.S_IMODE(path.stat().st_mode)
    return found


def titles_with(secrets: Iterable[str], pids: Iterable[int]) -> list[str]:
    """The titles, of these processes and their descendants, that contain one of the secrets."""
    wanted = list(secrets)
    titles: list[str] = []
    for pid in pids:
        process = psutil.Process(pid)
        for one in (process, *process.children(recursive=True)):
            try:
                titles.append(" ".join([one.name(), *one.cmdline()]))
            except psutil.Error:
                continue  # it has ended
    if not titles:
        raise ValueError("no process to look at")
    return [title for title in titles if any(secret in title for secret in wanted)]


def _files(folder: Path) -> Iterator[Path]:
    for parent, _, names in os.walk(folder):
        for name in names:
            path = Path(parent, name)
            if path.is_file() and not path.is_symlink():
                yield path
