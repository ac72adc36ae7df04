"""The judging worker when things break in mid-stream: every verdict once, none invented."""

import os
import signal
import time

import psutil
import pytest

from judgestream.contracts.topics import VERDICTS
from judgestream.core.identity import verdict_id
from judgestream.local.ports import free_port
from judgestream.v1.judging_pb2 import Verdict
from tests.integration.cluster import INSTANT, Cluster, pairs, wait

pytestmark = pytest.mark.integration

N = 500


def assert_each_once(verdicts: list[Verdict], ids: list[str]) -> None:
    """One verdict id per request after de-duplication, the id that it must have, and no other."""
    for v in verdicts:
        assert v.verdict_id == verdict_id(v.request_id, INSTANT, "pairwise", v.content_digest)
    assert len({v.verdict_id for v in verdicts}) == len(ids)
    assert {v.request_id for v in verdicts} == set(ids)
    assert {v.status for v in verdicts} == {Verdict.STATUS_SCORED}
    contents: dict[str, bytes] = {}
    for verdict in verdicts:  # a duplicate says the same, times and tries apart
        for name in ("judged_at", "latency_s", "attempts"):
            verdict.ClearField(name)
        for reading in verdict.passes:
            reading.ClearField("latency_s")
        same = contents.setdefault(verdict.verdict_id, verdict.SerializeToString())
        assert same == verdict.SerializeToString()


def some(cluster: Cluster, least: int) -> None:
    wait(lambda: cluster.count(VERDICTS) >= least, what=f"{least} verdicts", seconds=60)


def test_a_worker_killed_in_mid_batch_loses_and_invents_nothing(cluster: Cluster) -> None:
    cluster.work(slot=0)
    cluster.work(slot=1)
    ids = cluster.submit(pairs(N, "kill", sleep_ms=20))
    some(cluster, 100)
    cluster.kill("judging-0")
    assert cluster.count(VERDICTS) < N, "all was judged before the kill"
    cluster.work(slot=0)
    assert_each_once(cluster.wait_verdicts(ids, seconds=90), ids)


def test_triton_stopped_and_started_again_in_mid_stream(cluster: Cluster) -> None:
    cluster.work()
    ids = cluster.submit(pairs(N, "triton", sleep_ms=20))
    some(cluster, 100)
    cluster.triton.stop()
    assert cluster.count(VERDICTS) < N
    time.sleep(2)
    cluster.triton.start()
    assert_each_once(cluster.wait_verdicts(ids, seconds=90), ids)
    assert max(verdict.attempts for verdict in cluster.verdicts()) > 1


def test_a_killed_model_process_is_reloaded_by_the_rollout_service(cluster: Cluster) -> None:
    """Triton keeps running, reports the model as ready and never restarts its process."""
    cluster.work()
    service = cluster.work("rollout", rollout__grpc=f"127.0.0.1:{free_port()}")
    ids = cluster.submit(pairs(N, "stub", sleep_ms=20))
    some(cluster, 100)
    assert cluster.triton.process is not None
    (stub,) = [
        child
        for child in psutil.Process(cluster.triton.process.pid).children(recursive=True)
        if "triton_python_backend_stub" in " ".join(child.cmdline())
        and f"/{INSTANT}/" in " ".join(child.cmdline())
    ]
    stub.send_signal(signal.SIGKILL)
    assert cluster.count(VERDICTS) < N
    assert_each_once(cluster.wait_verdicts(ids, seconds=90), ids)
    assert service.command.log_path.read_text().count("is loaded again") == 1


def test_kafka_killed_and_started_again_in_mid_stream(cluster: Cluster) -> None:
    cluster.work()
    ids = cluster.submit(pairs(N, "kafka", sleep_ms=20))
    some(cluster, 100)
    assert cluster.kafka.process is not None
    os.kill(cluster.kafka.process.pid, signal.SIGKILL)
    cluster.kafka.stop()  # the process is gone; this frees its folder
    time.sleep(2)
    cluster.kafka.start()
    assert_each_once(cluster.wait_verdicts(ids, seconds=90), ids)


def test_redis_stopped_in_mid_stream(cluster: Cluster) -> None:
    cluster.work()
    ids = cluster.submit(pairs(N, "redis", sleep_ms=40))
    some(cluster, 100)
    cluster.valkey.stop()
    assert cluster.count(VERDICTS) < N, "all was judged before Redis stopped"
    assert_each_once(cluster.wait_verdicts(ids, seconds=90), ids)
    log = cluster.workers["judging-0"].command.log_path.read_text()
    assert "continuing without it" in log


def test_a_stopping_worker_abandons_requests_that_wait_for_the_judge(cluster: Cluster) -> None:
    worker = cluster.work(judging__max_backoff_s=60)
    cluster.triton.stop()
    ids = cluster.submit(pairs(100, "stop"))
    time.sleep(5)
    started = time.monotonic()
    worker.stop()
    assert time.monotonic() - started < 14, "the worker ended by SIGKILL, not by SIGTERM"
    assert cluster.count(VERDICTS) == 0
    cluster.triton.start()
    cluster.workers.clear()
    cluster.work(slot=0)
    assert_each_once(cluster.wait_verdicts(ids, seconds=60), ids)
