"""Files and folders for this user only. Everything that may contain a secret is written here."""

import os
import secrets
import shlex
import stat
from collections.abc import Mapping
from pathlib import Path

from judgestream.local.errors import DataUnusable

_KEY_BYTES = 32


def write_private(path: Path, text: str) -> None:
    """Write the file atomically, readable and writable by this user only (0600).

    A link or file at the path is replaced, never written through.

    Raises:
        DataUnusable: the folder is missing, read-only or full.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise DataUnusable(
            f"{path} cannot be written ({error.strerror or error}). Give this user write access to its"
            " folder, free some space on its disk, or choose another data folder."
        ) from error


def private_folder(path: Path) -> Path:
    """Create the folder and its parents, accessible to this user only (0700).

    Raises:
        DataUnusable: it cannot be created, is not a folder, or belongs to another user.
    """
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        status = path.stat()
        if status.st_uid == os.getuid() and stat.S_IMODE(status.st_mode) & 0o077:
            path.chmod(0o700)
    except OSError as error:
        raise DataUnusable(
            f"{path} cannot be used as a folder ({error.strerror or error}). Choose another data folder."
        ) from error
    if status.st_uid not in (os.getuid(), 0):
        raise DataUnusable(
            f"{path} belongs to another user (uid {status.st_uid}), who could read and change its"
            " contents. Choose a data folder that belongs to you."
        )
    return path


def kept_secret(path: Path) -> str:
    """The random secret in this file, 64 hex digits. Created on the first call.

    Raises:
        DataUnusable: the file belongs to another user, is a link, or does not contain such a secret.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        write_private(path, secrets.token_hex(_KEY_BYTES) + "\n")
        return kept_secret(path)
    except OSError as error:
        raise _unusable_secret(path, error.strerror or str(error)) from error
    with os.fdopen(descriptor, encoding="ascii", errors="replace") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.getuid():
            raise _unusable_secret(path, "it is not a file of this user")
        if stat.S_IMODE(status.st_mode) & 0o077:
            os.fchmod(file.fileno(), 0o600)
        text = file.read(1024).strip()
    if len(text) != 2 * _KEY_BYTES or any(letter not in "0123456789abcdef" for letter in text):
        raise _unusable_secret(path, f"it does not contain {2 * _KEY_BYTES} hex digits")
    return text


def shell_variables(values: Mapping[str, str]) -> str:
    """Lines `NAME=value` for `set -a; . FILE`, each value quoted so that the shell executes nothing."""
    return "".join(f"{name}={shlex.quote(value)}\n" for name, value in values.items())


def _unusable_secret(path: Path, why: str) -> DataUnusable:
    return DataUnusable(
        f"The secret in {path} cannot be used: {why}. Stop the stack and delete the file; the next start"
        " creates a new one."
    )
