"""/livez and /readyz of real workers, and SIGTERM under load."""

import json
import os
import signal
import threading
import time
from contextlib import closing
from http.client import HTTPConnection
from typing import Any

import psutil
import pytest

from judgestream.adapters.kafka.lag import GroupLag
from judgestream.adapters.kafka.topics import admin
from judgestream.apps.worker.watchdog import EXIT_STALLED
from judgestream.contracts.topics import DEAD_LETTERS, REQUESTS, VERDICTS
from judgestream.local.ports import free_port
from judgestream.local.process import ServerProcess
from tests.integration.cluster import Cluster, pairs, wait

pytestmark = pytest.mark.integration

SOON: dict[str, Any] = {"worker__stall_s": 4, "worker__startup_s": 30}
"""The watchdog looks every second, and takes the broker for away after three."""

SLOW: dict[str, Any] = {"judging__deadline_s": 60, "kafka__rebalance_timeout_s": 70}


def ask(port: int, path: str, *, seconds: float = 5.0) -> tuple[int, dict[str, str]]:
    """The status, and the details of the checks that failed.

    Raises:
        OSError: nobody answers.
    """
    connection = HTTPConnection("127.0.0.1", port, timeout=seconds)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        checks: list[dict[str, Any]] = json.loads(answer.read())["checks"]
        return answer.status, {one["name"]: one["detail"] for one in checks if not one["ok"]}
    finally:
        connection.close()


def wait_answer(port: int, path: str, status: int, *, seconds: float) -> dict[str, str]:
    """The failed checks, once the page answers with this status."""
    last: list[tuple[int, dict[str, str]]] = []

    def answered() -> bool:
        last[:] = [ask(port, path)]
        return last[0][0] == status

    wait(answered, what=f"{path} to answer {status}", seconds=seconds)
    return last[0][1]


def pid_of(worker: ServerProcess) -> int:
    """The worker itself, not its keeper."""
    (found,) = (
        one
        for one in [
            psutil.Process(worker.pid),
            *psutil.Process(worker.pid).children(recursive=True),
        ]
        if "judgestream.apps.cli" in one.cmdline() and "worker" in one.cmdline()[:5]
    )
    return found.pid


def test_a_stuck_consumer_is_not_live_before_it_is_ended(cluster: Cluster) -> None:
    """A call that may take longer than `worker.stall_s` is a stall: there is lag, and nothing moves."""
    port = free_port()
    worker = cluster.work(worker__metrics_port=port, **SOON, **SLOW)
    cluster.submit(pairs(1, "stuck", sleep_ms=12_000))
    failed = wait_answer(port, "/livez", 503, seconds=15)
    assert list(failed) == ["consumer"]
    assert failed["consumer"].startswith("1 records behind and no progress for")
    wait(lambda: worker.poll() is not None, what="the worker to be ended", seconds=10)
    assert worker.poll() == EXIT_STALLED


def test_sigterm_under_load_finishes_what_is_in_flight(cluster: Cluster) -> None:
    port, count = free_port(), 200
    worker = cluster.work(worker__metrics_port=port, judging__inflight=16)
    ids = cluster.submit(pairs(count, "drain", sleep_ms=150))
    wait(lambda: cluster.count(VERDICTS) > 20, what="the first verdicts", seconds=20)
    seen: list[tuple[int, dict[str, str]]] = []

    def watch() -> None:
        while True:
            try:
                seen.append(ask(port, "/readyz", seconds=1))
            except OSError:
                return
            time.sleep(0.02)

    os.kill(pid_of(worker), signal.SIGTERM)
    began = time.monotonic()
    watching = threading.Thread(target=watch)
    watching.start()
    wait(lambda: worker.poll() is not None, what="the worker to end", seconds=15)
    took = time.monotonic() - began
    watching.join(5)
    assert worker.poll() == 0
    assert took < 5 + 5  # judging.deadline_s of this cluster, and five seconds
    assert len(seen) > 1
    assert all(status == 503 and "state" in failed for status, failed in seen[1:])
    judged = cluster.count(VERDICTS)
    assert 20 < judged < count, "the signal was to come in mid-stream"

    cluster.workers.clear()
    worker = cluster.work(judging__inflight=64, **SLOW)
    verdicts = cluster.wait_verdicts(ids, seconds=60)
    assert sorted(verdict.request_id for verdict in verdicts) == sorted(ids)
    assert {verdict.attempts for verdict in verdicts} == {1}
    assert cluster.count(DEAD_LETTERS) == 0

    # a second signal does not wait for calls in flight; they are not committed
    cluster.submit(pairs(8, "twice", sleep_ms=10_000))
    time.sleep(1.0)
    os.kill(pid_of(worker), signal.SIGTERM)
    time.sleep(1.5)
    assert worker.running, "it was to finish what is in flight"
    os.kill(pid_of(worker), signal.SIGTERM)
    wait(lambda: worker.poll() is not None, what="the worker to end", seconds=5)
    assert worker.poll() == 128 + signal.SIGTERM
    partitions = [(REQUESTS.name, number) for number in range(REQUESTS.partitions)]
    with closing(admin(cluster.settings)) as client:
        lag = GroupLag(cluster.settings, "judgestream-judging", client=client)
        assert lag(partitions) == 8


def test_readiness_follows_the_servers_and_liveness_does_not(cluster: Cluster) -> None:
    judging, bias = free_port(), free_port()
    worker = cluster.work(worker__metrics_port=judging, **SOON)
    cluster.work("bias", worker__metrics_port=bias - 100, **SOON)
    assert wait_answer(judging, "/readyz", 200, seconds=10) == {}
    assert wait_answer(bias, "/readyz", 200, seconds=10) == {}

    # 1. only the bias worker needs Redis
    cluster.valkey.stop()
    assert list(wait_answer(bias, "/readyz", 503, seconds=15)) == ["redis"]
    assert ask(bias, "/livez") == (200, {})
    assert ask(judging, "/readyz") == (200, {})
    cluster.valkey.start()
    assert wait_answer(bias, "/readyz", 200, seconds=15) == {}

    # 2. without the judge nothing can be judged, but a restart would not help
    cluster.triton.stop()
    failed = wait_answer(judging, "/readyz", 503, seconds=15)
    assert list(failed) == ["judge"]
    assert "is down" in failed["judge"]
    assert ask(judging, "/livez") == (200, {})
    assert ask(bias, "/readyz") == (200, {})

    # 3. a stopped process answers nobody, and is well again afterwards
    pid = pid_of(worker)
    os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(OSError, match="timed out"):
            ask(judging, "/livez", seconds=1)
    finally:
        os.kill(pid, signal.SIGCONT)
    assert ask(judging, "/livez") == (200, {})

    # 4. nor does a restart bring the broker back; workers that stop then do so within the limit
    cluster.kafka.stop()
    assert list(wait_answer(bias, "/readyz", 503, seconds=20)) == ["broker"]
    assert ask(judging, "/livez") == (200, {})
    for one in cluster.workers.values():
        os.kill(pid_of(one), signal.SIGTERM)
    for one in cluster.workers.values():
        wait(lambda: one.poll() is not None, what="a worker to end", seconds=14)  # noqa: B023
