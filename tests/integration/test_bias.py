"""The bias workers: counts add up across workers, survive redelivery, kills and a Redis that went away."""

import time
from datetime import UTC, datetime, timedelta

import pytest
import redis

from judgestream.contracts.codecs.verdicts import verdict_to_message
from judgestream.contracts.topics import BIAS, VERDICTS
from judgestream.core.transforms import STRAIGHT, SWAPPED
from judgestream.core.types import CandidateScore, PassResult, Reading, Reply, Status, Verdict
from judgestream.v1.bias_pb2 import BiasReport
from tests.integration.cluster import Cluster, wait

pytestmark = pytest.mark.integration

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
FIRST = Reading(means=(8, 3), greedy=(8, 3), win=1.0, tie=0.0, lose=0.0)
SECOND = Reading(means=(3, 8), greedy=(3, 8), win=0.0, tie=0.0, lose=1.0)


def verdict(k: int, *, second: float, release: str = "judge-1") -> Verdict:
    """Every fourth is unscored; of the others every third leans to the first position."""
    status = Status.UNSCORED if k % 4 == 0 else Status.SCORED
    leaning = k % 3 == 0
    readings = (FIRST, SECOND if leaning else FIRST)
    return Verdict(
        verdict_id=f"v{release}{k}",
        request_id=f"r{k}",
        mode="pairwise",
        status=status,
        requested_at=NOON + timedelta(seconds=second),
        judged_at=NOON,
        release=release,
        winner="" if status is Status.UNSCORED else "a",
        scores=(
            CandidateScore(candidate_id="a", score=8, length=10),
            CandidateScore(candidate_id="b", score=3, length=5),
        ),
        passes=tuple(
            PassResult(transform=transform, reading=reading, reply=Reply(text=""))
            for transform, reading in zip((STRAIGHT, SWAPPED), readings, strict=True)
            if status is Status.SCORED
        ),
    )


def publish(cluster: Cluster, verdicts: list[Verdict]) -> None:
    producer = cluster.producer()
    for one in verdicts:
        message = verdict_to_message(one)
        producer.send(VERDICTS.name, message.SerializeToString(), one.request_id.encode())
    producer.flush(30)
    producer.close()


def reports(cluster: Cluster) -> dict[tuple[str, int], BiasReport]:
    """The newest revision per release and second of the window's start."""
    newest: dict[tuple[str, int], BiasReport] = {}
    for _, record in cluster.records(BIAS):
        report = BiasReport.FromString(record.value)
        start = report.window_start.ToDatetime(tzinfo=UTC) - NOON
        key = (report.release, int(start.total_seconds()))
        if key not in newest or report.revision >= newest[key].revision:
            newest[key] = report
    return newest


def wait_for(cluster: Cluster, key: tuple[str, int], n: int, *, final: bool = False) -> BiasReport:
    def there() -> bool:
        report = reports(cluster).get(key)
        return report is not None and report.counts["n"] >= n and report.final >= final

    wait(there, what=f"a report of {n} verdicts in window {key}", seconds=60)
    return reports(cluster)[key]


def test_counts_add_up_over_workers_redelivery_and_a_kill(cluster: Cluster) -> None:
    for slot in (0, 1):
        cluster.work("bias", slot)
    stream = [verdict(k, second=k % 60) for k in range(1200)]
    publish(cluster, stream[:800])
    publish(cluster, stream[200:400])  # the same again: delivered twice
    wait_for(cluster, ("judge-1", 0), 300)
    cluster.kill("bias-0")
    publish(cluster, stream[700:])
    cluster.work("bias", 0)
    report = wait_for(cluster, ("judge-1", 0), 1200)
    # k = 0..1199: 300 unscored; of the 900 others one in three leans to the first position
    assert dict(report.counts) == {
        "n": 1200,
        "scored": 900,
        "unscored": 300,
        "failed": 0,
        "ordered": 900,
        "consistent": 600,
        "toward_first": 300,
        "toward_second": 0,
        "tied": 0,
        "untied": 900,
        "length_pairs": 900,
        "longer_won": 900,
        "equal_length": 0,
        "placed": 0,
        "toward_first_place": 0,
        "toward_last_place": 0,
    }
    metrics = {metric.name: metric for metric in report.metrics}
    assert metrics["flip_consistency"].value == pytest.approx(2 / 3)
    assert metrics["bias_toward_first"].value == pytest.approx(1 / 3)
    assert metrics["unscored_rate"].value == 0.25
    # no verdict ranks three answers or more
    empty = {name for name, metric in metrics.items() if not metric.HasField("value")}
    assert empty == {"bias_toward_first_place", "bias_toward_last_place"}
    for metric in (metrics[name] for name in metrics.keys() - empty):
        assert metric.interval.low <= metric.value <= metric.interval.high
        assert metric.interval.level == 0.95 and metric.interval.method
    assert not report.final


def test_windows_become_final_and_late_verdicts_still_correct_them(cluster: Cluster) -> None:
    cluster.work("bias", 0)
    publish(cluster, [verdict(k, second=10) for k in range(8)])
    publish(cluster, [verdict(k, second=70, release="judge-2") for k in range(8)])
    assert not wait_for(cluster, ("judge-1", 0), 8).final
    publish(cluster, [verdict(100, second=95)])  # the watermark passes 12:01:30
    final = wait_for(cluster, ("judge-1", 0), 8, final=True)
    assert (final.counts["n"], final.late) == (8, 0)
    publish(cluster, [verdict(k, second=20) for k in range(50, 52)])
    late = wait_for(cluster, ("judge-1", 0), 10, final=True)
    assert (late.counts["n"], late.late, late.report_id) == (10, 2, final.report_id)
    assert reports(cluster)["judge-2", 60].counts["n"] == 8
    kept = redis.Redis.from_url(cluster.valkey.url).get("judgestream:bias:report:judge-2")
    assert isinstance(kept, bytes) and b"flip_consistency" in kept


def test_bias_waits_for_redis_and_misses_nothing(cluster: Cluster) -> None:
    cluster.work("bias", 0)
    publish(cluster, [verdict(k, second=10) for k in range(100)])
    wait_for(cluster, ("judge-1", 0), 100)
    cluster.valkey.stop()
    publish(cluster, [verdict(k, second=10) for k in range(100, 300)])
    time.sleep(3)
    cluster.valkey.start()
    assert wait_for(cluster, ("judge-1", 0), 300).counts["n"] == 300
    assert "while Redis is unavailable" in cluster.workers["bias-0"].command.log_path.read_text()
