"""The trainer's command line, called in this process."""

import io
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout

from judgestream_trainer.__main__ import main as command_line


def main(arguments: Sequence[str]) -> int:
    """Run a command and return its exit code."""
    try:
        command_line(list(arguments))
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def captured(arguments: Sequence[str]) -> tuple[int, str]:
    """Run a command and return its exit code and all its output."""
    output = io.StringIO()
    with redirect_stdout(output), redirect_stderr(output):
        code = main(arguments)
    return code, output.getvalue()
