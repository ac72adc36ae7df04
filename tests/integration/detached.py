"""Stops what a test has detached, also when the test is killed."""

import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

STOP_S = 120.0
_WAIT_AND_RUN = "import subprocess, sys; sys.stdin.read(); sys.exit(subprocess.call(sys.argv[1:]))"


@contextmanager
def stopped_at_the_end(
    command: Sequence[str], *, environment: Mapping[str, str], cwd: Path | None = None
) -> Iterator[None]:
    """Run `command` when the block ends, or when this process does: its end of the pipe closes then.

    Raises:
        AssertionError: the command failed. The message contains its output.
        subprocess.TimeoutExpired: it did not end within `STOP_S`.
    """
    waiting = subprocess.Popen(
        [sys.executable, "-c", _WAIT_AND_RUN, *command],
        env=environment,
        cwd=cwd,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # a Ctrl-C in the terminal must not end it before it has stopped anything
        start_new_session=True,
    )
    try:
        yield
    finally:
        said, _ = waiting.communicate(timeout=STOP_S)
        assert waiting.returncode == 0, said
