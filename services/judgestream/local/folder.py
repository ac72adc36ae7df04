"""The local stack's data folder: path resolution, creation and checks."""

import errno
import os
from pathlib import Path

from judgestream.core.errors import ConfigurationError
from judgestream.local.errors import DataUnusable
from judgestream.local.private import private_folder

SETTING = "local.data (JUDGESTREAM_LOCAL__DATA or --data)"

# Error numbers, explained to the user who chose the folder.
_WORDS = {
    errno.EACCES: "this user may not write to it",
    errno.EPERM: "this user may not write to it",
    errno.EROFS: "its file system is read-only",
    errno.ENOSPC: "its disk is full",
    errno.EDQUOT: "this user's quota is used up",
    errno.ENOTDIR: "a part of the path is a file",
    errno.EEXIST: "a file has that name",
    errno.ENOENT: "no folder can be created there",
    errno.ENAMETOOLONG: "the path is too long",
    errno.ELOOP: "its symbolic links form a loop",
}


def data_folder(path: Path) -> Path:
    """The absolute path of the data folder. Creates nothing.

    Raises:
        ConfigurationError: the path is empty, contains a control character, names an unknown home, or
            leads through a file.
    """
    text = str(path)
    if text in ("", "."):
        raise ConfigurationError(f"{SETTING} is empty: name a folder for the local stack's data")
    if any(ord(character) < 32 or ord(character) == 127 for character in text):
        raise ConfigurationError(
            f"{SETTING} is {text!r}, which contains a control character: choose another path"
        )
    try:
        folder = path.expanduser().resolve()
        _require_no_file(folder)
        return folder
    except RuntimeError as error:
        raise ConfigurationError(
            f"{SETTING} is {text}, and {str(error).lower().rstrip('.')}: set HOME, or give an absolute path"
        ) from error
    except (OSError, ValueError) as error:
        raise _unusable(Path(text), error) from error


def _require_no_file(folder: Path) -> None:
    """Raise DataUnusable when the folder, or a folder above it, is a file."""
    for place in (folder, *folder.parents):
        if os.path.isdir(place):
            return
        if os.path.lexists(place):
            number = errno.EEXIST if place == folder else errno.ENOTDIR
            raise _unusable(folder, OSError(number, os.strerror(number)))


def make_folder(folder: Path) -> None:
    """Create the folder for this user only, unless it exists.

    Raises:
        DataUnusable: it cannot be created or written to, or belongs to another user; the message says why.
    """
    try:
        private_folder(folder)
    except DataUnusable as error:
        if isinstance(error.__cause__, OSError):
            raise _unusable(folder, error.__cause__) from error
        raise
    except ValueError as error:
        raise _unusable(folder, error) from error
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        raise _unusable(folder, PermissionError(errno.EACCES, os.strerror(errno.EACCES)))


def _unusable(folder: Path, error: Exception) -> DataUnusable:
    number = error.errno if isinstance(error, OSError) else None
    why = _WORDS.get(number or 0) or (getattr(error, "strerror", None) or str(error))
    return DataUnusable(
        f"{folder} cannot be the data folder: {why}. Choose another one with {SETTING}."
    )
