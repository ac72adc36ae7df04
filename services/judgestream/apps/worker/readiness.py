"""A worker's ready file, written at its first assignment.

A file and not a log line: it does not depend on the log level, and any supervisor can wait for it
(`test -e FILE`).
"""

import logging
import os
from collections.abc import Callable
from pathlib import Path

log = logging.getLogger(__name__)

Ready = Callable[[], None]
"""Called by a worker whenever it has partitions."""


def ignore_ready() -> None:
    """The `Ready` of a worker without a ready file."""


def ready_file(path: Path | None) -> Ready:
    """A `Ready` that writes the worker's pid to `path`; `ignore_ready` for None.

    A file that cannot be written is logged and does not end the worker.
    """
    if path is None:
        return ignore_ready

    def announce() -> None:
        try:
            path.write_text(f"{os.getpid()}\n", encoding="ascii")
        except OSError as exc:
            log.error("the ready file %s cannot be written: %s", path, exc)

    return announce
