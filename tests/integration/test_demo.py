"""`judgestream demo`: real servers, the bundled judge, the shipped sample."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.paths import environment

pytestmark = pytest.mark.integration

PORTS = (
    *("KAFKA_PORT", "REDIS_PORT", "ROLLOUT_PORT"),
    *("TRITON_HTTP_PORT", "TRITON_GRPC_PORT", "TRITON_METRICS_PORT"),
)


def run(
    *arguments: str, variables: dict[str, str], timeout: float = 400
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "judgestream.apps.cli", *arguments],
        env=environment(**variables),
        capture_output=True,
        text=True,
        timeout=timeout,
    )


def running_below(folder: Path) -> list[str]:
    """Command lines of the processes that name this folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            line = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if str(folder) in line and "pytest" not in line:
            found.append(line)
    return found


def test_the_demo_judges_its_sample_and_leaves_nothing_running(tmp_path: Path) -> None:
    data = tmp_path / "demo"
    # 24 written requests and 8 computed ones: the whole sample takes a small machine minutes
    arguments = ("demo", "--data", str(data), "--limit", "32")
    done = run(*arguments, variables={"JUDGESTREAM_LOCAL__DATA": str(data)})
    assert done.returncode == 0, done.stdout + done.stderr
    for shown in (
        "bad records in the dead letters",
        "the bundled judge is small",
        "24 written and labelled by an author",
        "position bias is not measured",
        "# the written requests",
        "# the computed requests",
        "undecodable",
        "nothing is left running",
    ):
        assert shown in done.stdout, done.stdout
    assert running_below(data) == []
