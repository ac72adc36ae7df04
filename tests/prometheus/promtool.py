"""promtool: checks of rules, configurations and scraped pages, and unit tests of rules."""

import subprocess
from pathlib import Path

from tests.debian_packages import or_skip
from tests.prometheus.install import Programs, programs

CHECK_S = 60


def required() -> Programs:
    """The programs, or the test is skipped; see `or_skip`."""
    return or_skip(programs)


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
