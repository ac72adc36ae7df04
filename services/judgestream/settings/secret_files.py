"""Secrets from files: `JUDGESTREAM_REDIS__PASSWORD_FILE` names the file that contains `redis.password`.

Docker and Kubernetes give secrets to a container as files. Every setting of the type SecretStr can come so.
"""

import logging
import os
import stat
from collections.abc import Mapping
from functools import cache
from pathlib import Path

log = logging.getLogger(__name__)

SUFFIX = "_FILE"
MAX_BYTES = 65_536


class SecretFileError(ValueError):
    """A secret cannot be taken from its file. The message names the variable and the file, not the secret."""


def named_files(environ: Mapping[str, str], secrets: Mapping[str, str]) -> Mapping[str, str]:
    """Path of a secret setting -> the file that the environment names for it.

    Args:
        secrets: variable -> path of every secret setting.
    """
    given = {name.upper(): value for name, value in environ.items()}
    return {
        path: given[variable + SUFFIX]
        for variable, path in secrets.items()
        if variable + SUFFIX in given
    }


def read_secret(variable: str, file: str, environ: Mapping[str, str]) -> str:
    """The secret without the line end that editors and `echo` add.

    Args:
        variable: of the setting itself, without `_FILE`.

    Raises:
        SecretFileError: the variable is given, too, or the file cannot be used.
    """
    name = variable + SUFFIX
    if any(one.upper() == variable for one in environ):
        raise SecretFileError(f"{variable} and {name} are both set: unset one of them")
    if not file:
        raise SecretFileError(f"{name} is empty: name a file, or unset it")
    try:
        descriptor = os.open(Path(file).expanduser(), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb") as opened:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise SecretFileError(f"{name} names {file}, which is not a file")
            content = opened.read(MAX_BYTES + 1)
    except OSError as exc:
        raise SecretFileError(f"{name} names {file}, which cannot be read: {exc.strerror}") from exc
    except RuntimeError:
        raise SecretFileError(
            f"{name} names {file}, whose user has no home here: name the whole path"
        ) from None
    except ValueError as exc:
        if isinstance(exc, SecretFileError):
            raise
        raise SecretFileError(f"{name} does not name a file") from None  # a NUL in it
    if status.st_mode & stat.S_IWOTH:
        raise SecretFileError(f"{name} names {file}, which every user may change: chmod 600 it")
    # A secret mounted into a container belongs to root and is often readable by all: that is not ours to fix.
    if status.st_mode & stat.S_IROTH and status.st_uid == os.getuid():
        _warn_once(f"{name} names {file}, which every user may read: chmod 600 it")
    return _text(name, file, content)


def without_files(environ: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
    """An environment with the given variables, and without the `_FILE` of any of them."""
    files = {name.upper() + SUFFIX for name in given}
    return {**{k: v for k, v in environ.items() if k.upper() not in files}, **given}


def _text(name: str, file: str, content: bytes) -> str:
    if len(content) > MAX_BYTES:
        raise SecretFileError(f"{name} names {file}, which is larger than {MAX_BYTES} bytes")
    try:
        text = content.decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError:
        raise SecretFileError(f"{name} names {file}, which is not UTF-8 text") from None
    if not text:
        raise SecretFileError(f"{name} names {file}, which is empty: write the secret into it")
    if any(letter in text for letter in "\r\n\0"):
        raise SecretFileError(
            f"{name} names {file}, which has several lines: write only the secret into it"
        )
    return text


@cache
def _warn_once(text: str) -> None:
    log.warning("%s", text)
