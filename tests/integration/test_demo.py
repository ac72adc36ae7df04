"""The whole pipeline as a newcomer sees it: real servers, the bundled judge, the shipped sample."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from judgestream.adapters.releases.model_config import bundled_models
from judgestream.local.ports import free_port
from judgestream.local.state import read_state
from judgestream.local.variables import read_variables
from tests.integration.cluster import wait
from tests.paths import PYTHONPATH

pytestmark = pytest.mark.integration

PORTS = ("KAFKA_PORT", "REDIS_PORT", "TRITON_HTTP_PORT", "TRITON_GRPC_PORT", "TRITON_METRICS_PORT")


def run(
    *arguments: str, environment: dict[str, str], timeout: float = 400
) -> subprocess.CompletedProcess[str]:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("JUDGESTREAM_")}
    return subprocess.run(
        [sys.executable, "-m", "judgestream.apps.cli", *arguments],
        env={**inherited, "PYTHONPATH": PYTHONPATH, **environment},
        capture_output=True,
        text=True,
        timeout=timeout,
    )


def running_below(folder: Path) -> list[str]:
    """Processes that work in this folder or name it."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            line = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if str(folder) in line and "pytest" not in line:
            found.append(line)
    return found


@contextmanager
def stack(data: Path) -> Iterator[dict[str, str]]:
    """`judgestream up` with the tiny judge on free ports, and the variables by which commands find it; then
    `down`."""
    local = {f"JUDGESTREAM_LOCAL__{name}": str(free_port()) for name in PORTS}
    local["JUDGESTREAM_LOCAL__DATA"] = str(data)
    local["JUDGESTREAM_LOCAL__CHECKPOINT"] = str(bundled_models() / "judges" / "tiny")
    try:
        up = run("up", environment=local)
        assert up.returncode == 0, up.stdout + up.stderr
        yield local | read_variables(data)
    finally:
        down = run("down", environment=local)
    assert down.returncode == 0, down.stderr
    assert running_below(data) == []


def test_the_demo_judges_its_sample_and_leaves_nothing_running(tmp_path: Path) -> None:
    data = tmp_path / "demo"
    done = run("demo", "--data", str(data), environment={"JUDGESTREAM_LOCAL__DATA": str(data)})
    assert done.returncode == 0, done.stdout + done.stderr
    for told in (
        "bad records in the dead letters",
        "flip_consistency",
        "undecodable",
        "nothing is left running",
    ):
        assert told in done.stdout, done.stdout
    assert running_below(data) == []


def test_real_human_labelled_pairs_through_the_whole_pipeline(
    tmp_path: Path, shared_data: Path
) -> None:
    """PandaLM's test set, all of its 999 pairs."""
    file = shared_data / "pandalm" / "testset-v1.json"
    with stack(tmp_path / "stack") as environment:
        submit = run("submit", str(file), "--wait", "--timeout", "300", environment=environment)
        # 1: some pairs are beyond what the bundled judge can read
        assert submit.returncode in (0, 1), submit.stdout + submit.stderr
        agreement = run("agreement", "--format", "json", environment=environment)
        assert agreement.returncode == 0, agreement.stderr
        figures = json.loads(agreement.stdout.splitlines()[0])
        assert "accuracy" in json.dumps(figures) and "consistency" in json.dumps(figures)
        export = run("verdicts", "export", environment=environment)
        statuses = [json.loads(line)["status"] for line in export.stdout.splitlines()]
        assert len(statuses) == 999
        assert statuses.count("STATUS_SCORED") >= 950


def test_what_dies_under_up_is_started_again(tmp_path: Path) -> None:
    data = tmp_path / "stack"
    with stack(data) as environment:
        state = read_state(data)
        assert state is not None
        servers = [server.server for server in state.servers if server.server is not None]
        assert len(servers) == 3
        for server in servers:
            os.kill(server.pid, signal.SIGKILL)

        def whole() -> bool:
            found = run("status", environment=environment)
            return found.returncode == 0 and (
                run("doctor", "--timeout", "20", environment=environment).returncode == 0
            )

        wait(whole, what="Kafka, Valkey and Triton to be back and a request judged", seconds=180)
