"""`environment`: variables that point a shell and other programs to a stack's servers."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from judgestream.local.private import shell_variables, write_private

FILE_NAME = "environment"


def write_variables(data_dir: Path, variables: Mapping[str, str]) -> Path:
    """Write the variables, quoted for a shell and readable by this user only.

    Raises:
        DataUnusable: the file cannot be written, for example on a full disk.
    """
    path = data_dir / FILE_NAME
    write_private(path, shell_variables(variables))
    return path


def read_variables(data_dir: Path) -> dict[str, str]:
    """The variables last written for this folder, also after the stack has stopped. {} without any."""
    try:
        text = (data_dir / FILE_NAME).read_text(encoding="utf-8")
        words = shlex.split(text, comments=True)
    except (OSError, ValueError):
        return {}
    return dict(word.split("=", 1) for word in words if "=" in word)


def host_port(address: str) -> tuple[str, int] | None:
    """Host and port of `host:port` or of a URL, with `localhost` as 127.0.0.1. None for anything else."""
    text = address.strip()
    try:
        parts = urlsplit(text if "://" in text else f"//{text}")
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if host is None or port is None:
        return None
    return ("127.0.0.1" if host == "localhost" else host), port
