"""The files of a checkpoint folder: valid names, and safe opening.

A checkpoint is untrusted. Its manifest and its indexes name files, and its folder may contain links. No name
leads out of the folder, and only plain files are ever opened.
"""

import hashlib
import json
import os
import stat
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path, PurePosixPath
from typing import Any

from judgestream.core.errors import ConfigurationError

MAX_NAME_BYTES = 255
MAX_PATH_BYTES = 512
MAX_DEPTH = 8
MAX_FILES = 4096
MAX_JSON_BYTES = 64 << 20
"""A tokenizer with a million entries has 40 MiB; all other JSON files are far smaller."""

CODE = frozenset(
    (
        ".py",
        ".pyc",
        ".pyd",
        ".pyx",
        ".pth",
        ".so",
        ".dll",
        ".dylib",
        ".exe",
        ".sh",
        ".bat",
        ".pbtxt",
    )
)
"""Suffixes of code and of what configures it: not part of a judge."""

_RESERVED = frozenset(("manifest.json", "model.json", "config.pbtxt"))
"""Names with a meaning for Triton, vLLM or judgestream."""


def name_problem(name: object) -> str:
    """Why this is not a valid name of a checkpoint's file; "" if it is valid.

    A name is a relative POSIX path inside the folder: no `..`, no backslash, no drive, nothing hidden,
    printable, in Unicode's composed form (NFC), of at most `MAX_PATH_BYTES` and `MAX_DEPTH` parts.
    """
    if not isinstance(name, str) or not name:
        return "is not a name"
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        return "is not text"
    parts = name.split("/")
    if size > MAX_PATH_BYTES or any(len(part.encode()) > MAX_NAME_BYTES for part in parts):
        return "is too long"
    if len(parts) > MAX_DEPTH:
        return "is too deep"
    if name.startswith("/") or "\\" in name or ":" in name:
        return "is not a relative path"
    if any(part in ("", ".", "..") for part in parts):
        return "leads out of the folder"
    if not name.isprintable() or unicodedata.normalize("NFC", name) != name:
        return "has characters that look like others"
    if any(part.startswith(".") for part in parts):
        return "is hidden"
    if any(part != part.strip() or part.endswith(".") for part in parts):
        return "begins with a space, or ends with a space or a dot"
    if PurePosixPath(name).suffix.lower() in CODE:
        return "is code"
    if name.casefold() in _RESERVED:
        return "is reserved"
    return ""


def name_problems(names: Iterable[object]) -> list[str]:
    """What is wrong with these names, alone and together.

    Two names must not differ in letter case only, and no name may be both a file and a folder.
    """
    problems: list[str] = []
    by_folded: dict[str, str] = {}
    folders: dict[str, str] = {}
    for number, name in enumerate(names):
        if number >= MAX_FILES:
            return [*problems, f"there are more than {MAX_FILES} files"]
        problem = name_problem(name)
        if problem or not isinstance(name, str):
            problems.append(f"file name {_short(name)} {problem}")
            continue
        folded = name.casefold()
        if folded in by_folded:
            problems.append(
                f"file names {by_folded[folded]!r} and {name!r} differ in letter case only"
            )
        by_folded[folded] = name
        for parent in PurePosixPath(folded).parents:
            folders.setdefault(str(parent), name)
    problems += [
        f"file name {by_folded[name]!r} is also a folder of {folders[name]!r}"
        for name in sorted(by_folded.keys() & folders.keys())
    ]
    return problems


def walk(folder: Path) -> tuple[list[str], list[str]]:
    """Sorted names of the plain files in the folder, and a problem for everything else in it.

    Links are never followed. Hidden files and folders and the manifest are skipped.

    Raises:
        ConfigurationError: no such folder, or unreadable.
    """
    if not folder.is_dir():
        raise ConfigurationError(f"checkpoint {folder}: no such folder")
    names: list[str] = []
    problems: list[str] = []
    waiting: list[tuple[str, int]] = [("", 0)]
    try:
        while waiting:
            inside, depth = waiting.pop()
            with os.scandir(folder / inside) as entries:
                for entry in entries:
                    name = f"{inside}/{entry.name}" if inside else entry.name
                    if entry.name.startswith(".") or name == "manifest.json":
                        if name == "manifest.json" and not entry.is_file(follow_symlinks=False):
                            problems.append(_not_plain(name, entry.is_symlink()))
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        if depth + 1 < MAX_DEPTH:
                            waiting.append((name, depth + 1))
                        else:
                            problems.append(f"{_short(name)} is too deep")
                    elif entry.is_file(follow_symlinks=False):
                        names.append(name)
                    else:
                        problems.append(_not_plain(name, entry.is_symlink()))
                    if len(names) + len(problems) > MAX_FILES:
                        raise ConfigurationError(
                            f"checkpoint {folder}: more than {MAX_FILES} files; give the folder of a"
                            " single checkpoint"
                        )
    except OSError as error:
        raise ConfigurationError(f"checkpoint {folder} cannot be read: {error}") from error
    return sorted(names), sorted(problems)


@contextmanager
def opened(folder: Path, name: str) -> Iterator[BufferedReader]:
    """A plain file of the folder, opened for reading. No part of its path may be a link.

    Raises:
        OSError: missing, unreadable, or not a plain file.
    """
    descriptors: list[int] = []
    try:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        descriptors.append(os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
        *folders, last = name.split("/")
        for part in folders:
            descriptors.append(os.open(part, flags | os.O_DIRECTORY, dir_fd=descriptors[-1]))
        file = os.open(last, flags, dir_fd=descriptors[-1])
    finally:
        for descriptor in descriptors:
            os.close(descriptor)
    with os.fdopen(file, "rb") as handle:
        if not stat.S_ISREG(os.fstat(handle.fileno()).st_mode):
            raise OSError(f"{name} is not a plain file")
        yield handle


def sha256(folder: Path, name: str) -> str:
    """64 hex digits over the file's bytes. Raises OSError as `opened`."""
    with opened(folder, name) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def size_of(folder: Path, name: str) -> int:
    """Bytes. Raises OSError as `opened`."""
    with opened(folder, name) as file:
        return os.fstat(file.fileno()).st_size


def read_json(folder: Path, name: str, *, max_bytes: int = MAX_JSON_BYTES) -> dict[str, Any]:
    """A strict JSON object: UTF-8, no duplicate members, no NaN or Infinity, at most `max_bytes`.

    Raises:
        FileNotFoundError: no such file.
        ValueError: unreadable or invalid; the message says why.
    """
    try:
        with opened(folder, name) as file:
            data = file.read(max_bytes + 1)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ValueError(f"cannot be read: {error}") from error
    if len(data) > max_bytes:
        raise ValueError(f"is larger than {max_bytes} bytes")
    return strict_json(data)


def strict_json(data: bytes) -> dict[str, Any]:
    """See `read_json`. Raises ValueError."""
    try:
        value = json.loads(
            data.decode("utf-8"), object_pairs_hook=_unique_members, parse_constant=_no_constant
        )
    except RecursionError:
        raise ValueError("is nested too deeply") from None
    if not isinstance(value, dict):
        raise ValueError(f"is a JSON {type(value).__name__}, not an object")
    return value


def _unique_members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"has the member {_short(twice)} twice")
    return members


def _no_constant(text: str) -> float:
    raise ValueError(f"contains {text}, which is not a JSON number")


def _not_plain(name: str, link: bool) -> str:
    if link:
        return (
            f"{_short(name)} is a link; copy the folder with its links resolved (cp -rL FROM TO), or"
            " download it without links"
        )
    return f"{_short(name)} is neither a file nor a folder; remove it"


def _short(name: object) -> str:
    text = ascii(name)
    return text if len(text) <= 80 else f"{text[:77]}...'"
