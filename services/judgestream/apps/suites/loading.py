"""The files of a suite in a folder: found, read, and identified by a digest."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from judgestream.adapters.files import read_records
from judgestream.core.errors import ConfigurationError
from judgestream.core.formats.fields import Fields
from judgestream.suites.base import Suite, Tables, Wanted


@dataclass(frozen=True, kw_only=True, slots=True)
class Loaded:
    """Rows by file, the digest of all files, and their paths in the folder."""

    tables: Tables
    digest: str
    files: tuple[str, ...]


def load_files(suite: Suite, folder: Path, *, to_run: bool = True) -> Loaded:
    """The suite's files in `folder`.

    Args:
        to_run: the files that a run needs must be there; else any of the suite's files will do.

    Raises:
        ConfigurationError: the folder or required files are missing; the message says which files the suite
            wants, and where they come from.
        InvalidRecord: a file is malformed.
    """
    found = {one.name: _matching(folder, one) for one in suite.files}
    missing = [one for one in suite.files if one.required and len(found[one.name]) < one.least]
    if not to_run:
        missing = [] if any(found.values()) else list(suite.files)
    if missing:
        raise ConfigurationError(_wants(suite, folder, missing))
    tables = {
        name: [Fields(values, place) for path in paths for place, values in read_records(path)]
        for name, paths in found.items()
        if paths
    }
    every = sorted(path for paths in found.values() for path in paths)
    digest = hashlib.sha256()
    for path in every:
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0")
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    names = tuple(path.relative_to(folder).as_posix() for path in every)
    return Loaded(tables=tables, digest=digest.hexdigest(), files=names)


def _matching(folder: Path, wanted: Wanted) -> list[Path]:
    return sorted(
        path for path in folder.glob(wanted.pattern) if path.is_file() and path.name[0] != "."
    )


def _wants(suite: Suite, folder: Path, missing: list[Wanted]) -> str:
    problem = "is not a folder" if not folder.is_dir() else "lacks files"
    lines = [f"suite {suite.name}: {folder} {problem}. Put these into it:"]
    for one in missing:
        least = f" (at least {one.least})" if one.least > 1 else ""
        lines.append(f"  {one.pattern}{least}: {one.content}\n    from {one.source}")
    return "\n".join(lines)
