"""A user's day on one machine: up with a judge, status, doctor, another release, kills, down."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from judgestream.adapters.releases.model_config import bundled_models
from judgestream.apps.machine.servers import VALKEY_KEY_FILE
from judgestream.local.ports import free_port
from judgestream.local.running import CONTROL_KEY_FILE
from judgestream.local.supervisor_file import PartState, read_report
from tests.integration.cluster import wait
from tests.integration.detached import stopped_at_the_end
from tests.integration.second_judge import second_judge
from tests.integration.secured.canaries import files_with, titles_with
from tests.integration.test_demo import PORTS, run, running_below
from tests.paths import environment

pytestmark = pytest.mark.integration


class Stack:
    """The running stack. Commands receive its data folder and nothing else."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.ports = {f"JUDGESTREAM_LOCAL__{name}": str(free_port()) for name in PORTS}

    @property
    def variables(self) -> dict[str, str]:
        return {"JUDGESTREAM_LOCAL__DATA": str(self.data)}

    def call(self, *arguments: str, code: int = 0) -> str:
        done = run(*arguments, variables=self.variables)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def up(self, *arguments: str) -> str:
        # a log level at which no worker says that it is ready
        quiet = {"JUDGESTREAM_WORKER__LOG_LEVEL": "warning"}
        more = {"JUDGESTREAM_LOCAL__JUDGING_WORKERS": "2"}
        done = run("up", *arguments, variables=self.variables | self.ports | quiet | more)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def rows(self, kind: str) -> list[dict[str, Any]]:
        done = run("status", "--format", "json", variables=self.variables)
        rows = [json.loads(line) for line in done.stdout.splitlines()]
        return [row for row in rows if row["kind"] == kind]

    def healthy(self) -> bool:
        return bool(self.rows("summary")[0]["can_judge"])


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    stack = Stack(tmp_path_factory.mktemp("stack") / "data")
    down = [sys.executable, "-m", "judgestream.apps.cli", "down"]
    with stopped_at_the_end(down, environment=environment(**stack.variables)):
        stack.up("--judge", str(bundled_models() / "judges" / "tiny"))
        yield stack
    assert running_below(stack.data) == []


def releases(stack: Stack) -> dict[str, dict[str, object]]:
    done = run("release", "list", "--format", "json", variables=stack.variables)
    assert done.returncode == 0, done.stderr
    return {row["release"]: row for row in map(json.loads, done.stdout.splitlines())}


def test_status_and_doctor_find_the_stack_and_see_its_workers(stack: Stack) -> None:
    def seen() -> bool:
        workers = stack.rows("worker")
        return len(workers) == 5 and all(row["seen_s"] is not None for row in workers)

    wait(seen, what="every worker on the board", seconds=30)
    assert {row["name"]: row["state"] for row in stack.rows("server")} == {
        "Kafka": "running",
        "Valkey": "running",
        "Triton": "running",
        "supervisor": "running",
    }
    judging = [row for row in stack.rows("worker") if str(row["name"]).startswith("judging")]
    partitions = [number for row in judging for number in row["partitions"]]
    assert sorted(partitions) == list(range(len(partitions)))
    assert {row["topic"] for row in stack.rows("backlog")} == {
        "judge.requests.v1",
        "judge.verdicts.v1",
    }
    doctor = stack.call("doctor", "--timeout", "40")
    in_use = next(name for name, row in releases(stack).items() if row["in_use"])
    assert f"with release {in_use}" in doctor and f"by {in_use}" in doctor
    assert all(len(line) <= 80 for line in stack.call("status").splitlines() if "/" not in line)
    assert "already running" in stack.call("up", code=1)  # other settings than it was started with


def test_the_stack_listens_on_this_machine_only_and_shows_no_secret(stack: Stack) -> None:
    supervisor = read_report(stack.data)
    assert supervisor is not None
    # the keepers end their servers with the supervisor, so all are below it
    top = psutil.Process(supervisor.process.pid)
    below = [top, *top.children(recursive=True)]
    listening = {
        (process.name(), socket.laddr.ip)
        for process in below
        for socket in process.net_connections("tcp")
        if socket.status == psutil.CONN_LISTEN
    }
    assert {name for name, _ in listening} >= {"java", "valkey-server", "tritonserver"}
    # Java writes an IPv4 address as IPv6
    assert {ip.removeprefix("::ffff:") for _, ip in listening} == {"127.0.0.1"}, listening

    secrets = [
        (stack.data / name).read_text().strip() for name in (VALKEY_KEY_FILE, CONTROL_KEY_FILE)
    ]
    assert titles_with(secrets, [top.pid]) == []
    found = files_with(secrets, stack.data)
    assert {Path(name).name for name in found} <= {
        *(VALKEY_KEY_FILE, CONTROL_KEY_FILE, "environment", "stack.json", "valkey.conf"),
    }, found
    assert {VALKEY_KEY_FILE, CONTROL_KEY_FILE, "environment"} <= found.keys()
    assert set(found.values()) == {0o600}, found
    shown = (
        stack.call("settings") + stack.call("settings", "--format", "json") + stack.call("status")
    )
    assert not [secret for secret in secrets if secret in shown]


def test_real_human_labelled_pairs_through_the_whole_pipeline(
    stack: Stack, shared_data: Path
) -> None:
    """PandaLM's test set, all of its 999 pairs."""
    file = shared_data / "pandalm" / "testset-v1.json"
    arguments = ("submit", str(file), "--wait", "--timeout", "300")
    submit = run(*arguments, variables=stack.variables)
    # 1: some pairs are longer than the bundled judge's context
    assert submit.returncode in (0, 1), submit.stdout + submit.stderr
    agreement = run("agreement", "--format", "json", variables=stack.variables)
    assert agreement.returncode == 0, agreement.stderr
    figures = json.loads(agreement.stdout.splitlines()[0])
    assert "accuracy" in json.dumps(figures) and "consistency" in json.dumps(figures)
    export = run("verdicts", "export", variables=stack.variables)
    statuses = [json.loads(line)["status"] for line in export.stdout.splitlines()]
    assert len(statuses) == 999
    assert statuses.count("STATUS_SCORED") >= 950


def test_the_release_is_changed_while_requests_come_and_none_is_lost(
    stack: Stack, tmp_path: Path
) -> None:
    before = next(name for name, row in releases(stack).items() if row["in_use"])
    stack.call("release", "install", str(second_judge(tmp_path / "second")))
    after = next(name for name in releases(stack) if name != before)
    rows = tmp_path / "rows.jsonl"
    candidates = [{"text": "4"}, {"text": "5"}]
    with rows.open("w") as file:
        for k in range(200):
            row = {"requestId": f"switch-{k}", "question": "2 + 2?", "candidates": candidates}
            file.write(json.dumps(row) + "\n")
    submit = subprocess.Popen(
        [
            *(sys.executable, "-m", "judgestream.apps.cli", "submit", str(rows)),
            *("--wait", "--timeout", "120"),
        ],
        env=environment(**stack.variables),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    used = stack.call("release", "use", after)
    assert f"the workers use {after}" in used
    _, errors = submit.communicate(timeout=130)
    assert submit.returncode in (0, 1), errors
    done = run("verdicts", "export", variables=stack.variables)
    verdicts = [json.loads(line) for line in done.stdout.splitlines()]
    ids = [v["requestId"] for v in verdicts if v["requestId"].startswith("switch-")]
    assert len(ids) == len(set(ids)) == 200
    assert {v["release"] for v in verdicts} <= {before, after}
    assert f"by {after}" in stack.call("doctor", "--timeout", "40")
    assert "is in use by" in stack.call("release", "unload", after, code=2)
    stack.call("release", "unload", before)
    assert not releases(stack)[before]["loaded"]
    stack.call("release", "load", before)
    assert releases(stack)[before]["loaded"] and releases(stack)[after]["in_use"]
    assert "no release" in stack.call("release", "use", "nothing-like-it", code=2)


def test_servers_and_workers_that_are_killed_come_back(stack: Stack) -> None:
    report = read_report(stack.data)
    assert report is not None
    for part in report.parts:
        assert part.pid is not None
        os.kill(part.pid, signal.SIGKILL)
    time.sleep(2)
    assert not stack.healthy()

    def all_back() -> bool:
        again = read_report(stack.data)
        assert again is not None and again.process == report.process
        return all(p.state is PartState.RUNNING and p.restarts for p in again.parts)

    wait(all_back, what="every server and worker to be back", seconds=150)
    wait(stack.healthy, what="the board to say that requests can be judged", seconds=60)
    stack.call("doctor", "--timeout", "60")
    assert all(row["loaded"] for row in releases(stack).values())  # also the one that is not in use


def test_up_right_after_the_supervisor_was_killed(stack: Stack) -> None:
    report = read_report(stack.data)
    assert report is not None
    before = next(name for name, row in releases(stack).items() if row["in_use"])
    os.kill(report.process.pid, signal.SIGKILL)
    stack.up()  # no wait: what the last run has left is ended first
    assert next(name for name, row in releases(stack).items() if row["in_use"]) == before
    # `release use` has chosen it, and the judge that `up` was first given is another one
    assert before != report.release and releases(stack)[before]["stage"] == "stable"


def test_an_interrupted_up_leaves_nothing_running(stack: Stack) -> None:
    stack.call("down")
    up = subprocess.Popen(
        [sys.executable, "-m", "judgestream.apps.cli", "up"],
        env=environment(**stack.variables, **stack.ports),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait(lambda: (stack.data / "stack.json").exists(), what="the start to begin", seconds=60)
    up.send_signal(signal.SIGINT)
    assert up.wait(100) == 130
    assert running_below(stack.data) == []
