"""A worker's sign that it is ready, for whoever started it: a file that appears with the first assignment.

A file and not a log line, so that it does not depend on the log level, and so that a supervisor of any kind
can wait for it (`test -e FILE`).
"""

import logging
import os
from collections.abc import Callable
from pathlib import Path

log = logging.getLogger(__name__)

Ready = Callable[[], None]


def nobody_waits() -> None:
    """For a worker that nobody waits for."""


def ready_file(path: Path | None) -> Ready:
    """What the worker calls once it has its partitions: writes its pid to `path`. None: does nothing.

    A file that cannot be written is logged and never ends the worker.
    """
    if path is None:
        return nobody_waits

    def announce() -> None:
        try:
            path.write_text(f"{os.getpid()}\n", encoding="ascii")
        except OSError as exc:
            log.error("the ready file %s cannot be written: %s", path, exc)

    return announce
