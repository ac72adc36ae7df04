"""The bias workers: counts add up across workers, survive redelivery, kills and a Redis that went away."""

import asyncio
import json
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest
import redis
from pydantic import SecretStr

from judgestream.adapters.kafka.verdict_topic import all_verdicts
from judgestream.apps.bias.rebuilding import rebuild
from judgestream.contracts.codecs.verdicts import verdict_to_message
from judgestream.contracts.topics import ALARMS, BIAS, VERDICTS
from judgestream.core.transforms import STRAIGHT, SWAPPED
from judgestream.core.types import CandidateScore, PassResult, Reading, Reply, Status, Verdict
from judgestream.evaluation.contribution import contribution
from judgestream.evaluation.probes import complete, total
from judgestream.evaluation.recount import Recount
from judgestream.settings import Redis, Settings
from judgestream.v1.bias_pb2 import Alarm, BiasReport
from tests.integration.cluster import Cluster, wait

pytestmark = pytest.mark.integration

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
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
        judged_at=NOON + timedelta(days=1000),
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


def reports(cluster: Cluster, *, after: int = 0) -> dict[tuple[str, int], BiasReport]:
    """The newest revision per release and second of the window's start, of those after a revision."""
    newest: dict[tuple[str, int], BiasReport] = {}
    for _, record in cluster.records(BIAS):
        report = BiasReport.FromString(record.value)
        start = report.window_start.ToDatetime(tzinfo=UTC) - NOON
        key = (report.release, int(start.total_seconds()))
        known = newest.get(key)
        if report.revision > after and (known is None or _age(report) >= _age(known)):
            newest[key] = report
    return newest


def _age(report: BiasReport) -> tuple[int, bool]:
    return report.revision, report.final


def wait_for(cluster: Cluster, key: tuple[str, int], n: int, *, final: bool = False) -> BiasReport:
    def there() -> bool:
        report = reports(cluster).get(key)
        return report is not None and report.counts["n"] >= n and report.final >= final

    wait(there, what=f"a report of {n} verdicts in window {key}", seconds=60)
    return reports(cluster)[key]


def expected(cluster: Cluster) -> dict[tuple[str, int], dict[str, int]]:
    """The counts of every window, by an offline recount of the topic."""
    recount = Recount()
    for _, one in all_verdicts(cluster.settings):
        recount.add(contribution(one))
    return {
        (release, int((window.start - NOON).total_seconds())): complete(total(counts.values()))
        for (release, window), counts in recount.windows(timedelta(minutes=1)).items()
    }


def wait_until_exact(cluster: Cluster, *, after: int = 0) -> dict[tuple[str, int], BiasReport]:
    """Wait until every window is final and equals the recount."""
    wanted = expected(cluster)

    def exact() -> bool:
        found = reports(cluster, after=after)
        return all(one.final for one in found.values()) and wanted == {
            key: dict(one.counts) for key, one in found.items() if one.counts["n"]
        }

    try:
        wait(exact, what="every report to equal the recount", seconds=40)
    except TimeoutError:
        found = {key: dict(one.counts) for key, one in reports(cluster, after=after).items()}
        assert found == wanted
        raise
    return reports(cluster, after=after)


QUICK_END = {"bias__idle_s": 2, "bias__publish_interval_s": 0.5}


def test_one_worker_and_four_count_the_same_through_kills_redelivery_and_replays(
    cluster: Cluster,
) -> None:
    """A log of 30 days over skewed partitions, with failures and their replays in any order."""
    for slot in range(4):
        cluster.work("bias", slot, **QUICK_END)
    stream = [verdict(k, second=(k % 60) * 43_200 - (k % 8) * 3600) for k in range(1200)]
    failed = [
        replace(one, status=Status.FAILED, winner="", passes=(), judged_at=one.judged_at - HOUR)
        for one in stream[::5]
    ]
    publish(cluster, failed[:120])
    publish(cluster, stream[:800])
    publish(cluster, stream[200:400])  # the same again: delivered twice
    cluster.kill("bias-0")
    publish(cluster, failed[120:])  # of those judged already, and of those to come
    publish(cluster, stream[700:])
    cluster.work("bias", 0, **QUICK_END)
    by_four = wait_until_exact(cluster)
    assert sum(one.counts["n"] for one in by_four.values()) == 1200
    assert sum(one.counts["failed"] for one in by_four.values()) == 0
    cluster.stop_workers()
    last = max(one.revision for one in by_four.values())
    cluster.work("bias", 0, **QUICK_END, bias__group="another", redis__prefix="another")
    by_one = wait_until_exact(cluster, after=last)
    assert by_one.keys() == by_four.keys()
    for key, one in by_one.items():
        assert (one.counts, list(one.metrics)) == (by_four[key].counts, list(by_four[key].metrics))


def test_a_report_says_what_was_counted(cluster: Cluster) -> None:
    cluster.work("bias", 0)
    publish(cluster, [verdict(k, second=k % 60) for k in range(1200)])
    report = wait_for(cluster, ("judge-1", 0), 1200)
    # k = 0..1199: 300 unscored; of the 900 others one in three leans to the first position
    assert {name: count for name, count in report.counts.items() if count} == {
        "n": 1200,
        "scored": 900,
        "unscored": 300,
        "ordered": 900,
        "consistent": 600,
        "toward_first": 300,
        "untied": 900,
        "length_pairs": 900,
        "longer_won": 900,
        "graded": 900,
        "scores_seven_eight": 900,
        "scores_three_four": 900,
    }
    metrics = {metric.name: metric for metric in report.metrics}
    assert metrics["flip_consistency"].value == pytest.approx(2 / 3)
    assert metrics["bias_toward_first"].value == pytest.approx(1 / 3)
    assert metrics["unscored_rate"].value == 0.25
    # no verdict ranks three answers or more, states style, or was judged with and without a reference
    empty = {name for name, metric in metrics.items() if not metric.HasField("value")}
    assert empty == {
        *("bias_toward_first_place", "bias_toward_last_place"),
        *("header_preference", "list_preference", "bold_preference"),
        *("reference_change", "reference_reversal"),
    }
    for metric in (metrics[name] for name in metrics.keys() - empty):
        assert metric.interval.low <= metric.value <= metric.interval.high
        assert metric.interval.level == 0.95 and metric.interval.method
        # 900 or 1,200 prompts in 16,384 buckets
        assert 700 < metric.prompts <= metric.n and metric.design_effect >= 1.0
    assert not report.final, "its partitions have just delivered"


def test_windows_become_final_and_late_verdicts_still_correct_them(cluster: Cluster) -> None:
    cluster.work("bias", 0, **QUICK_END)
    publish(cluster, [verdict(k, second=10) for k in range(8)])
    publish(cluster, [verdict(k, second=70, release="judge-2") for k in range(8)])
    publish(cluster, [verdict(k, second=70) for k in range(8, 16)])
    final = wait_for(cluster, ("judge-1", 0), 8, final=True)
    assert (final.counts["n"], final.late) == (8, 0)
    wait_for(cluster, ("judge-1", 60), 8, final=True)
    publish(cluster, [verdict(k, second=20) for k in range(50, 52)])
    late = wait_for(cluster, ("judge-1", 0), 10, final=True)
    assert (late.counts["n"], late.late, late.report_id) == (10, 2, final.report_id)
    assert reports(cluster)["judge-2", 60].counts["n"] == 8
    with redis.Redis.from_url(cluster.valkey.url) as client:
        kept = client.get("judgestream:bias:report:judge-1")
    assert isinstance(kept, bytes) and b"12:01:00Z" in kept, "not that of the corrected window"


def test_bias_waits_for_redis_and_its_counters_can_be_rebuilt(cluster: Cluster) -> None:
    cluster.work("bias", 0)
    publish(cluster, [verdict(k, second=10) for k in range(100)])
    wait_for(cluster, ("judge-1", 0), 100)
    cluster.valkey.stop()
    publish(cluster, [verdict(k, second=10) for k in range(100, 300)])
    time.sleep(3)
    cluster.valkey.start()
    before = wait_for(cluster, ("judge-1", 0), 300)
    assert before.counts["n"] == 300
    assert "while Redis is unavailable" in cluster.workers["bias-0"].command.log_path.read_text()
    with redis.Redis.from_url(cluster.valkey.url) as client:
        client.flushall()
    publish(cluster, [verdict(k, second=10) for k in range(290, 310)])
    settings = Settings(
        kafka=cluster.settings, redis=Redis(url=SecretStr(cluster.valkey.url), timeout_s=5.0)
    )
    done = asyncio.run(rebuild(settings, on_skip=pytest.fail, on_progress=lambda _: None))
    # the second pass reads again what was published meanwhile
    assert done.read >= 320 and done.counted >= 310
    wait(
        lambda: reports(cluster)["judge-1", 0].counts["n"] == 310,
        what="a report of the rebuilt counters",
        seconds=30,
    )
    assert reports(cluster)["judge-1", 0].revision > before.revision


class Hook(BaseHTTPRequestHandler):
    bodies: ClassVar[list[bytes]] = []

    def do_POST(self) -> None:
        self.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


def test_a_judge_that_leans_raises_an_alarm_on_the_topic_and_the_webhook(cluster: Cluster) -> None:
    now = (datetime.now(UTC) - NOON).total_seconds() - 300  # alarms of old windows are not sent
    leaning = [
        replace(
            verdict(3 * k, second=now + k % 60, release="leaning"),
            verdict_id=f"leaning{k}",
            status=Status.SCORED,
            winner="a",
            passes=verdict(3, second=0).passes,
        )
        for k in range(400)
    ]
    with ThreadingHTTPServer(("127.0.0.1", 0), Hook) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/secret"
        cluster.work("bias", 0, **QUICK_END, bias__webhook=url)
        publish(cluster, leaning)
        publish(
            cluster, [verdict(k, second=now + k % 60, release="fine") for k in range(1, 1200, 12)]
        )
        wait(lambda: len(Hook.bodies) >= 2, what="two alarms at the webhook", seconds=40)
        server.shutdown()
    newest = {record.key: Alarm.FromString(record.value) for _, record in cluster.records(ALARMS)}
    raised = {(one.release, one.rule) for one in newest.values() if one.state == Alarm.STATE_RAISED}
    assert raised == {("leaning", "inconsistent"), ("leaning", "position")}
    assert len(newest) == 6, "every rule for both releases"
    assert {json.loads(body)["rule"] for body in Hook.bodies} == {"inconsistent", "position"}
    log = cluster.workers["bias-0"].command.log_path.read_text()
    assert "alarm raised: flip_consistency of leaning is 0.000" in log and "secret" not in log
