"""Output files that appear complete or not at all."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from judgestream.core.errors import ConfigurationError

STDOUT = Path("-")
"""Names standard output where a file is written."""


@contextmanager
def drafted(path: Path) -> Iterator[Path]:
    """A draft beside `path`, which replaces `path` at the end, or is removed after an error.

    Raises:
        ConfigurationError: the file cannot be written.
    """
    draft = path.with_name(f".{path.name}.part")
    try:
        yield draft
        draft.replace(path)
    except OSError as exc:
        raise ConfigurationError(f"{path} cannot be written: {exc.strerror or exc}") from exc
    finally:
        draft.unlink(missing_ok=True)


@contextmanager
def text_output(path: Path) -> Iterator[IO[str]]:
    """A text file to write, or standard output for `-`.

    Raises:
        ConfigurationError: the file cannot be written.
    """
    if path == STDOUT:
        yield sys.stdout
        return
    with drafted(path) as draft, draft.open("w", encoding="utf-8", newline="") as file:
        yield file
