"""Requests flow over two Tritons; one is killed and comes back, and the other one is drained."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest
from pydantic import SecretStr
from tritonclient.grpc import InferenceServerClient

from judgestream.adapters.redis.worker_board import WorkerBoard
from judgestream.adapters.triton.server_memory import from_metrics
from judgestream.apps.cli.doctor import STEPS
from judgestream.apps.machine.stack_status import look
from judgestream.contracts.topics import DEAD_LETTERS, VERDICTS
from judgestream.core.fleet.report import ServerReport, ServerState
from judgestream.local.ports import free_port
from judgestream.local.triton import TritonServer
from judgestream.settings import Redis, load
from tests.integration.cluster import INSTANT, Cluster, Servers, instant_triton, wait
from tests.integration.in_thread import Stream

pytestmark = pytest.mark.integration

PER_S = 50
SLEEP_MS = 5


@pytest.fixture
def cluster(tmp_path: Path, servers: Servers) -> Iterator[Cluster]:
    """With its own first Triton: other tests leave releases on the one that they share."""
    with (
        instant_triton(tmp_path / "first") as first,
        Servers(kafka=servers.kafka, valkey=servers.valkey, triton=first).cluster(tmp_path) as own,
    ):
        yield own


@pytest.fixture
def second(tmp_path: Path) -> Iterator[TritonServer]:
    with instant_triton(tmp_path / "second") as triton:
        yield triton


def answered(triton: TritonServer) -> int:
    """Requests that a Triton has answered since its start."""
    with InferenceServerClient(triton.grpc_url) as client:
        statistics = client.get_inference_statistics(INSTANT, as_json=True)
    return int(statistics["model_stats"][0]["inference_stats"]["success"].get("count", 0))


def shares(tritons: tuple[TritonServer, ...], seconds: float) -> list[int]:
    before = [answered(one) for one in tritons]
    time.sleep(seconds)
    return [answered(one) - base for one, base in zip(tritons, before, strict=True)]


def get_shares(tritons: tuple[TritonServer, ...], *, what: str) -> None:
    """Wait until each Triton answers at least a fifth of what it would in equal parts."""
    wait(lambda: min(shares(tritons, 1.5)) >= PER_S * 1.5 * 0.1, what=what, seconds=20)


def reports(cluster: Cluster) -> dict[str, ServerReport]:
    """Address -> server, as the worker reports it."""
    board = WorkerBoard.connect(Redis(url=SecretStr(cluster.valkey.url)))
    assert board is not None
    with board:
        return {one.address: one for entry in board.workers() for one in entry.servers}


def state(cluster: Cluster, triton: TritonServer) -> str:
    report = reports(cluster).get(triton.grpc_url)
    return "" if report is None else str(report.state)


def triton_command(cluster: Cluster, *arguments: str, **settings: object) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "judgestream.apps.cli", "triton", *arguments],
        env=cluster.environment(**settings),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_no_request_is_lost_while_one_triton_dies_and_the_other_drains(
    cluster: Cluster, second: TritonServer
) -> None:
    both = (cluster.triton, second)
    addresses = f"{cluster.triton.grpc_url},{second.grpc_url}"
    cluster.work(triton__grpc=addresses, triton__release=INSTANT, judging__inflight=32)
    cluster.work("rollout", triton__grpc=addresses, rollout__grpc=f"127.0.0.1:{free_port()}")
    with Stream(cluster, "fleet", batch=PER_S // 5, sleep_ms=SLEEP_MS) as stream:
        wait(lambda: len(stream.ids) >= PER_S, what="the first requests", seconds=10)
        get_shares(both, what="both Tritons to get a share")

        assert second.process is not None
        os.kill(second.process.pid, signal.SIGKILL)
        wait(lambda: state(cluster, second) == "down", what="down", seconds=8)
        second.stop()
        second.models = ()  # the rollout service must load the release that is in use
        second.start()

        def has_the_release() -> bool:
            report = reports(cluster)[second.grpc_url]
            return (report.state, report.releases) == (ServerState.UP, {INSTANT: ""})

        wait(has_the_release, what="the release on the new server", seconds=15)
        get_shares(both, what="the share to recover")

        drained = cluster.triton.grpc_url
        triton_command(cluster, "drain", drained, triton__grpc=addresses)
        assert state(cluster, cluster.triton) == "draining"
        lines = triton_command(cluster, "list", "--format", "json", triton__grpc=addresses)
        listed = {one["address"]: one for one in map(json.loads, lines.splitlines())}
        assert (listed[drained]["state"], listed[drained]["in_flight"]) == ("draining", 0)
        assert listed[second.grpc_url]["state"] == "up"
        assert all(one["models"] == [INSTANT] for one in listed.values())
        settings = load(
            find_stack=False,
            kafka={"bootstrap": cluster.kafka.bootstrap},
            redis={"url": cluster.valkey.url},
            triton={"grpc": addresses, "release": INSTANT},
        )
        shown = look(settings, cluster.folder, None, None)
        assert [one.state for one in shown.tritons] == ["draining", "up"]
        assert any(f"Triton at {drained} is draining" in text for text in shown.warnings)
        found = next(step for step in STEPS if step.name == "triton").look(settings, 5.0)
        assert f"is ready at {addresses.replace(',', ', ')}" in found
        assert f"{drained} is draining, calls in flight 0, loaded {INSTANT}" in found
        with urlopen(second.metrics_url, timeout=5) as page:  # noqa: S310 - our server
            (memory, *_) = from_metrics(page.read().decode())
        assert 0 < memory.free < memory.total
        assert shares(both, 1.0)[0] == 0, "a drained server gets no calls"
        triton_command(cluster, "undrain", drained, triton__grpc=addresses)
        wait(lambda: state(cluster, cluster.triton) == "up", what="undrained", seconds=8)
        get_shares(both, what="the share to recover")
    verdicts = cluster.wait_verdicts(stream.ids, seconds=20)
    assert len(verdicts) == len(stream.ids) == cluster.count(VERDICTS)
    assert cluster.count(DEAD_LETTERS) == 0
    assert {verdict.attempts for verdict in verdicts} == {1}
