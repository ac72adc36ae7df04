"""promtool: checks of rules, configurations and scraped pages, and unit tests of rules."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.prometheus.install import Programs, Unavailable, programs

CHECK_S = 60
IN_CI = bool(os.environ.get("CI"))


def required() -> Programs:
    """The programs, or the test is skipped with the reason. In CI it fails: there the checks must run."""
    try:
        return programs()
    except Unavailable as exc:
        if IN_CI:
            raise
        pytest.skip(str(exc))


def promtool(*arguments: str | Path, given: str = "") -> str:
    """What promtool has to complain about; empty when all is well.

    Raises:
        Unavailable: see `programs`.
    """
    done = subprocess.run(
        [programs().promtool, *arguments],
        input=given,
        capture_output=True,
        text=True,
        timeout=CHECK_S,
    )
    return f"{done.stdout}{done.stderr}".strip() if done.returncode else ""
