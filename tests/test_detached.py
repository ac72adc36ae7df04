"""What a test detaches is stopped at its end, by whatever it ends."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.cluster import wait
from tests.integration.detached import stopped_at_the_end
from tests.paths import ROOT, environment

PROGRAM = """
import os, sys, time
from tests.integration.detached import stopped_at_the_end
with stopped_at_the_end(["touch", sys.argv[1]], environment=os.environ):
    print("entered", flush=True)
    time.sleep(60)
"""


def test_the_command_runs_at_the_end_and_its_failure_is_told(tmp_path: Path) -> None:
    done = tmp_path / "done"
    with stopped_at_the_end(["touch", str(done)], environment=environment()):
        assert not done.exists()
    assert done.exists()
    failing = [sys.executable, "-c", "print('cannot stop'); raise SystemExit(3)"]
    with pytest.raises(AssertionError, match="cannot stop"):
        with stopped_at_the_end(failing, environment=environment()):
            pass


def test_the_command_runs_when_the_test_is_killed(tmp_path: Path) -> None:
    done = tmp_path / "done"
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(done)],
        stdout=subprocess.PIPE,
        cwd=ROOT,
        env=environment(),
    ) as test:
        assert test.stdout is not None and test.stdout.readline() == b"entered\n"
        test.send_signal(signal.SIGKILL)
    wait(done.exists, what="the command to run", seconds=20)
