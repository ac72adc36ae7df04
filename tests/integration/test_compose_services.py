"""The services of deploy/compose.yaml as processes: their own commands and settings, without containers.

Only what a container engine gives is replaced: host names, paths of volumes, and ports.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import redis
from kafka import KafkaAdminClient

from judgestream.adapters.redis.access import ACCESS
from judgestream.contracts.topics import TOPICS
from judgestream.local.ports import free_port
from judgestream.local.process import Command, ServerProcess
from judgestream.terminal.exit_codes import ExitCode
from tests.deploy.compose import Service, our_services, secrets_of
from tests.deploy.redis_users import PREFIX, password_variable
from tests.deploy.test_compose import seconds
from tests.integration.cluster import Cluster, pairs, wait
from tests.integration.secured.canaries import files_with, titles_with
from tests.paths import JUDGES, RECIPES, environment

pytestmark = pytest.mark.integration

SECRETS = {name: f"canary-{name.lower()}" for name in secrets_of()}
CANARIES = tuple(SECRETS.values())
SERVICES = our_services(SECRETS)
PROGRAM = (sys.executable, "-m", "judgestream.apps.cli")
WORKERS = ("judging", "judging-1", "shadow", "bias", "rollout")


class Machine:
    """The one machine of the compose file: its network, volumes and processes."""

    def __init__(self, folder: Path, cluster: Cluster) -> None:
        self.folder = folder
        self.health: dict[str, int] = {}
        self.triton = {name: free_port() for name in ("http", "grpc", "metrics")}
        self.names = {
            "kafka:9092": cluster.kafka.bootstrap,
            "redis://valkey:6379/0": cluster.valkey.url,
            "triton:8001": f"127.0.0.1:{self.triton['grpc']}",
            "0.0.0.0:28003": f"127.0.0.1:{free_port()}",
            "0.0.0.0": "127.0.0.1",  # noqa: S104
            "/var/lib/judgestream": str(folder / "volume"),
            "/etc/judgestream/recipe.yaml": str(RECIPES / "small-fine-tune.yaml"),
            "/tmp/triton": str(folder / "triton"),  # noqa: S108
        }
        self.processes: dict[str, ServerProcess] = {}

    def _here(self, text: str, service: Service) -> str:
        for name, real in self.names.items():
            text = text.replace(name, real)
        # the port that each container has for itself
        return text.replace("-port=9100", f"-port={self.health[service.name]}")

    def start(self, service: Service) -> ServerProcess:
        (self.folder / service.name).mkdir()
        self.health[service.name] = free_port()
        arguments = [self._here(word, service) for word in service.arguments]
        settings = {key: self._here(value, service) for key, value in service.environment.items()}
        if "JUDGESTREAM_TRITON__METRICS_PORT" in settings:
            settings["JUDGESTREAM_TRITON__METRICS_PORT"] = str(self.triton["metrics"])
        if service.name == "triton-cpu":
            settings["JUDGESTREAM_LOCAL__CHECKPOINT"] = str(JUDGES / "tiny")
            settings["OMP_NUM_THREADS"] = "1"
            arguments += [f"--{name}-port={port}" for name, port in self.triton.items()]
        process = ServerProcess(
            Command(
                name=service.name,
                argv=[*PROGRAM, *arguments],
                log_path=self.folder / f"{service.name}.log",
                cwd=self.folder / service.name,
                env=environment(**settings),
                stop_seconds=seconds(service.raw["stop_grace_period"]),
            )
        )
        self.processes[service.name] = process
        return process

    def run(self, name: str, *words: str) -> str:
        """A command with the settings of a service, as `docker compose run` gives them."""
        service = SERVICES[name]
        settings = {key: self._here(value, service) for key, value in service.environment.items()}
        done = subprocess.run(
            [*PROGRAM, *words],
            cwd=self.folder,
            env=environment(**settings),
            capture_output=True,
            text=True,
            timeout=60,
        )
        return done.stdout + done.stderr

    def wait_ready(self, name: str) -> None:
        self.processes[name].wait_ready(
            lambda: self._is_ready(name),
            what="become ready",
            seconds=120.0,
            advice="see its log",
        )

    def _is_ready(self, name: str) -> bool:
        """As the health check of its image."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.health[name]}/readyz", timeout=2):
                return True
        except OSError:
            return False

    def scrape(self, name: str, page: str = "metrics") -> str:
        port = self.triton["metrics"] if name == "triton-cpu" else self.health[name]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/{page}", timeout=10) as answer:
            text: str = answer.read().decode()
            return text


@pytest.fixture
def machine(tmp_path: Path, cluster: Cluster) -> Iterator[Machine]:
    machine = Machine(tmp_path, cluster)
    try:
        yield machine
    finally:
        for process in machine.processes.values():
            process.stop()


@pytest.fixture
def redis_users(cluster: Cluster) -> Iterator[redis.Redis]:
    """Valkey with the users of deploy/valkey/start.sh, and a client that may do everything."""
    with redis.Redis.from_url(cluster.valkey.url, protocol=2) as client:
        for row in ACCESS:
            rules = row.rules(PREFIX).split()
            client.execute_command(
                "ACL",
                "SETUSER",
                row.user(PREFIX),
                "on",
                f">{SECRETS[password_variable(row)]}",
                *rules,
            )
        client.acl_log_reset()
        try:
            yield client
        finally:
            client.acl_deluser(*(row.user(PREFIX) for row in ACCESS))


def test_the_services_judge_requests_serve_metrics_and_stop_in_order(
    machine: Machine, cluster: Cluster, redis_users: redis.Redis
) -> None:
    applied = machine.start(SERVICES["topics"])
    wait(lambda: applied.poll() is not None, what="topics apply to end", seconds=30)
    assert applied.poll() == 0, applied.log_tail()

    shutil.copytree(JUDGES / "tiny", machine.folder / "volume" / "base")
    machine.start(SERVICES["triton-cpu"])
    machine.wait_ready("triton-cpu")
    for name in WORKERS:
        machine.start(SERVICES[name])
    machine.start(SERVICES["trainer"])
    for name in (*WORKERS, "trainer"):
        machine.wait_ready(name)

    ids = cluster.submit(pairs(12, "compose"))
    verdicts = cluster.wait_verdicts(ids, seconds=30)
    assert {verdict.request_id for verdict in verdicts} == set(ids)
    assert all(verdict.release.startswith("judgelm-") for verdict in verdicts)

    judged = 0.0
    for name in ("judging", "judging-1"):
        judged += finished(machine.scrape(name))
    assert judged == len(ids)
    assert "judgestream_lag_records" in machine.scrape("shadow")
    assert "judgestream_bias_verdicts" in machine.scrape("bias")
    assert "judgestream_rollout_leads" in machine.scrape("rollout")
    assert "nv_inference_queue_duration_us" in machine.scrape("triton-cpu")
    client = KafkaAdminClient(bootstrap_servers=cluster.kafka.bootstrap)
    wait(
        lambda: "judgestream-trainer" in {group["group_id"] for group in client.list_groups()},
        what="the trainer to join its group",
        seconds=30,
    )
    client.close()
    assert "judgestream_trainer_waiting_examples 0.0" in machine.scrape("trainer")
    connected = {entry["user"] for entry in redis_users.client_list()}
    assert {f"judgestream-{name}" for name in ("judging", "shadow", "bias", "rollout")} <= connected
    pages = [
        machine.scrape(name, page)
        for name in (*WORKERS, "trainer")
        for page in ("metrics", "livez", "readyz")
    ]
    audited = [process.pid for process in machine.processes.values() if process.running]
    assert titles_with(CANARIES, audited) == []
    assert not canaries_in("".join(pages)), "pages for supervisors"
    assert not canaries_in(repr(everything_in(redis_users))), "Redis"
    for topic in TOPICS.values():
        assert not canaries_in(repr([record for _, record in cluster.records(topic)])), topic.name
    status = machine.run("topics", "status") + machine.run("topics", "settings")
    assert not canaries_in(status)
    assert "judging-0" in status and "judging-1" in status, status
    assert stop_all(machine) == dict.fromkeys(("triton-cpu", *WORKERS, "trainer"), 0)
    assert redis_users.acl_log() == [], "each service does with its rights what it does with all"
    assert files_with(CANARIES, machine.folder) == {}


def canaries_in(text: str) -> list[str]:
    return [canary for canary in CANARIES if canary in text]


def everything_in(client: redis.Redis) -> list[object]:
    """Every key with its content."""
    readers: dict[object, Callable[[Any], object]] = {
        b"string": client.get,
        b"hash": client.hgetall,
        b"set": client.smembers,
        b"zset": lambda key: client.zrange(key, 0, -1),
    }
    keys = list(client.scan_iter(count=1000))
    assert keys, "the services have written nothing"
    return [(key, readers[client.type(key)](key)) for key in keys]


def finished(page: str) -> float:
    """The requests that a judging worker has finished, of any outcome."""
    name = "judgestream_requests_total{"
    return sum(float(line.split()[-1]) for line in page.splitlines() if line.startswith(name))


def stop_all(machine: Machine) -> dict[str, int | None]:
    """SIGTERM to every service at once, as `docker compose stop` sends it. Returns the exit codes."""
    running = {name: p for name, p in machine.processes.items() if p.running}
    for process in running.values():
        os.kill(process.pid, signal.SIGTERM)
    deadline = time.monotonic() + 30
    while any(process.running for process in running.values()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return {name: process.poll() for name, process in running.items()}


def test_a_triton_that_dies_ends_the_service_with_its_reason(
    machine: Machine,
) -> None:
    process = machine.start(SERVICES["triton-cpu"])
    machine.wait_ready("triton-cpu")
    servers = [
        child
        for child in psutil.Process(process.pid).children(recursive=True)
        if child.name() == "tritonserver"
    ]
    for server in servers:
        server.kill()
    wait(lambda: process.poll() is not None, what="the service to end", seconds=30)
    assert process.poll() == ExitCode.SERVER
    log = (machine.folder / "triton-cpu.log").read_text(encoding="utf-8")
    assert "Triton ended unexpectedly (killed by signal 9)" in log
