"""The whole pipeline as a newcomer sees it: real servers, the bundled judge, the shipped sample."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.cluster import SERVICES

pytestmark = pytest.mark.integration


def run(*arguments: str, data: Path, timeout: float = 400) -> subprocess.CompletedProcess[str]:
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("JUDGESTREAM_") or name.startswith("JUDGESTREAM_LOCAL__")
    }
    return subprocess.run(
        [sys.executable, "-m", "judgestream.apps.cli", *arguments],
        env={**inherited, "PYTHONPATH": str(SERVICES), "JUDGESTREAM_LOCAL__DATA": str(data)},
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


def test_the_demo_judges_its_sample_and_leaves_nothing_running(tmp_path: Path) -> None:
    done = run("demo", "--data", str(tmp_path / "demo"), data=tmp_path / "demo")
    assert done.returncode == 0, done.stdout + done.stderr
    for told in (
        "bad records in the dead letters",
        "flip_consistency",
        "undecodable",
        "nothing is left running",
    ):
        assert told in done.stdout, done.stdout
    assert running_below(tmp_path / "demo") == []


def test_real_human_labelled_pairs_through_the_whole_pipeline(
    tmp_path: Path, shared_data: Path
) -> None:
    """PandaLM's test set; 60 of its 999 pairs, to keep the test short."""
    data = tmp_path / "stack"
    settings = {f"JUDGESTREAM_LOCAL__{name}": port for name, port in ports().items()}
    os.environ.update(settings)
    try:
        up = run("up", data=data)
        assert up.returncode == 0, up.stdout + up.stderr
        addresses = dict(
            line.split("=", 1) for line in (data / "environment").read_text().splitlines()
        )
        environment = {**os.environ, **addresses, "PYTHONPATH": str(SERVICES)}
        command = [sys.executable, "-m", "judgestream.apps.cli"]
        file = shared_data / "pandalm" / "testset-v1.json"
        submit = subprocess.run(
            [*command, "submit", str(file), "--wait", "--limit", "60", "--timeout", "200"],
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert submit.returncode in (0, 1), submit.stdout + submit.stderr
        agreement = subprocess.run(
            [*command, "agreement", "--format", "json"],
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert agreement.returncode == 0, agreement.stderr
        figures = json.loads(agreement.stdout.splitlines()[0])
        assert "accuracy" in json.dumps(figures) and "consistency" in json.dumps(figures)
        status = run("status", data=data)
        assert status.returncode == 0, status.stdout
    finally:
        down = run("down", data=data)
        for name in settings:
            os.environ.pop(name, None)
    assert down.returncode == 0
    assert running_below(data) == []


def ports() -> dict[str, str]:
    from judgestream.local.ports import free_port

    names = (
        "KAFKA_PORT",
        "REDIS_PORT",
        "TRITON_HTTP_PORT",
        "TRITON_GRPC_PORT",
        "TRITON_METRICS_PORT",
    )
    return {name: str(free_port()) for name in names}
