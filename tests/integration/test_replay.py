"""`judgestream replay` on real servers: deterministic ids, killed half-way, and nothing twice."""

import json
import signal
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime

import pytest

from judgestream.adapters.kafka.publishing import RequestPublisher
from judgestream.contracts.topics import DEAD_LETTERS, REQUESTS, SHADOW, VERDICTS
from judgestream.core.types import Label
from judgestream.v1.judging_pb2 import JudgeOptions, JudgeRequest, Verdict
from tests.integration.cluster import INSTANT, Cluster, pairs, wait
from tests.integration.worse_judge import inverted_judge

pytestmark = pytest.mark.integration


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "judgestream.apps.cli", "replay", *arguments]


def diff(cluster: Cluster, *arguments: str) -> list[dict]:  # type: ignore[type-arg]
    """The JSON lines of `release diff`: the summary, then the disagreements."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "judgestream.apps.cli", "release", "diff", *arguments),
            *("--format", "json"),
        ],
        env=cluster.environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def replay(
    cluster: Cluster, *arguments: str, release: str = INSTANT, **settings: object
) -> tuple[int, dict, str]:  # type: ignore[type-arg]
    """Exit code, the JSON line (or {}), and standard error."""
    done = subprocess.run(
        command("--release", release, "--format", "json", *arguments),
        env=cluster.environment(**settings),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    return done.returncode, json.loads(done.stdout) if done.stdout else {}, done.stderr


def shadow(cluster: Cluster) -> list[Verdict]:
    return [Verdict.FromString(record.value) for _, record in cluster.records(SHADOW)]


def test_a_killed_replay_continues_and_a_finished_one_does_nothing(cluster: Cluster) -> None:
    requests = pairs(80, "slow", sleep_ms=150)
    requests += pairs(5, "slow", sleep_ms=150)  # resent: the same judgements
    for k, one in enumerate(requests):
        one.metadata["half"] = str(k % 2)
    requests[80:] = [JudgeRequest.FromString(one.SerializeToString()) for one in requests[:5]]
    cluster.submit(requests)
    producer = cluster.producer()
    producer.send(REQUESTS.name, b"\xff\xff", b"broken").get(timeout=30)
    producer.send(
        REQUESTS.name,
        JudgeRequest(request_id="one", question="?", mode="no such").SerializeToString(),
        b"one",
    ).get(timeout=30)
    producer.close()

    # 1. The cost is shown before anything is judged, and somebody must confirm it.
    code, told, _ = replay(cluster, "--from", "0", "--dry-run")
    assert (code, told["to_judge"], told["judged_before"]) == (0, 80, 0)
    assert told["refused"] == {"undecodable": 1, "unknown_mode": 1}
    assert told["expected"]["input_tokens"] > 80 * 10
    assert told["expected"]["cost_at_most"] is None  # the release states no prices
    code, _, said = replay(cluster, "--from", "0")
    assert code == 2
    assert "give --yes" in said
    assert cluster.count(SHADOW) == 0

    # 2. Interrupted or killed in the middle, it loses nothing and repeats at most the calls in flight.
    for number, least in ((signal.SIGINT, 4), (signal.SIGKILL, 24)):
        process = subprocess.Popen(
            command("--release", INSTANT, "--from", "0", "--yes", "--at-once", "4"),
            env=cluster.environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        wait(lambda least=least: cluster.count(SHADOW) >= least, what="verdicts", seconds=60)  # type: ignore[misc]
        process.send_signal(number)
        _, said = process.communicate(timeout=20)
        if number == signal.SIGINT:
            assert process.returncode == 130
            assert "stopped: run the same command again" in said
    before = len({verdict.verdict_id for verdict in shadow(cluster)})
    assert before < 80
    code, told, _ = replay(cluster, "--from", "0", "--yes", "--at-once", "8")
    assert code == 1  # two records cannot be judged
    assert told["judged_before"] == before
    assert told["judged"] == {"scored": 80 - before}
    verdicts = shadow(cluster)
    counts = Counter(verdict.verdict_id for verdict in verdicts)
    assert len(counts) == 80
    assert len(verdicts) <= 80 + 2 * 4

    # 3. Again: nothing to do. Live traffic and the dead letters were not touched.
    code, told, _ = replay(cluster, "--from", "metadata.half=1", "--yes")
    assert (code, told["to_judge"], told["judged_before"]) == (1, 0, 40)
    assert cluster.count(SHADOW) == len(verdicts)
    assert cluster.count(VERDICTS) == cluster.count(DEAD_LETTERS) == 0

    # 4. A worker that judges the same requests live gives the same verdict ids.
    cluster.work()
    live = cluster.wait_verdicts([one.request_id for one in requests], seconds=60)
    by_id = {verdict.verdict_id: verdict for verdict in verdicts}
    scored = [verdict for verdict in live if verdict.status == Verdict.STATUS_SCORED]
    assert len(scored) == 80
    for verdict in scored:
        other = by_id[verdict.verdict_id]
        assert (verdict.winner, verdict.tie, verdict.p_win) == (
            other.winner,
            other.tie,
            other.p_win,
        )


def test_two_releases_are_compared_on_the_same_requests(cluster: Cluster) -> None:
    requests = pairs(30, "both")
    for one in requests:
        one.options.orders = JudgeOptions.ORDERS_STRAIGHT  # this judge knows places, not answers
    for one in requests[20:]:
        one.question = requests[20].question  # ten answers to one question: one cluster
    cluster.submit(requests)
    cluster.work(triton__release=INSTANT)
    names = [one.request_id for one in requests]
    live = {one.request_id: one for one in cluster.wait_verdicts(names, seconds=60)}
    decided = [name for name in names if live[name].winner]
    assert len(decided) > 10
    with RequestPublisher(cluster.settings) as publisher:
        for name in decided[:5]:  # people agree with the instant judge
            publisher.label(
                Label(
                    label_id=f"label of {name}",
                    request_id=name,
                    annotator="ann",
                    labelled_at=datetime.now(UTC),
                    winner=live[name].winner,
                )
            )
    with inverted_judge(cluster.triton) as inverted:
        code, told, _ = replay(cluster, "--from", "0", "--yes", release=inverted)
        assert (code, told["judged"]) == (0, {"scored": 30})
    first, *shown = diff(cluster, INSTANT, inverted, "--limit", "8")
    found = first["summary"]
    assert (found["pairs"], found["prompts"]) == (30, 21)
    assert found["kinds"]["differ"] == len(decided)
    assert found["agreement"]["value"] == pytest.approx(1 - len(decided) / 30)
    assert (found["labels"]["n"], found["labels"]["only_a_right"]) == (5, 5)
    assert len(shown) == 8
    assert sum("the label agrees with A" in one["reasons"] for one in shown) == 5
    texts = {one.request_id: one for one in requests}
    for told in shown:
        asked = texts[told["request_id"]]
        assert told["question"] == asked.question
        assert [each["text"] for each in told["answers"]] == [c.text for c in asked.candidates]
        assert {told["a"]["winner"], told["b"]["winner"]} == {"a", "b"}


def test_a_release_that_is_not_loaded_is_named(cluster: Cluster) -> None:
    done = subprocess.run(
        command("--release", "missing", "--from", "0", "--yes"),
        env=cluster.environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 3
    assert "release missing is not loaded" in done.stderr


def test_a_request_that_the_judge_refuses_gets_a_failed_verdict_once(cluster: Cluster) -> None:
    cluster.submit(
        [
            JudgeRequest(
                request_id="long",
                question="x" * 120_000,
                candidates=[{"id": "a", "text": "1"}, {"id": "b", "text": "2"}],
            )
        ]
    )
    code, told, _ = replay(cluster, "--from", "1h", "--yes", judging__too_long="refuse")
    assert (code, told["judged"]) == (1, {"failed": 1})
    (verdict,) = shadow(cluster)
    assert verdict.error_class == "prompt_too_long"
    code, told, _ = replay(cluster, "--from", "1h", "--yes", judging__too_long="refuse")
    assert (code, told["to_judge"], told["failed_before"]) == (0, 0, 1)
    code, told, _ = replay(
        cluster, "--from", "1h", "--yes", "--retry-failed", judging__too_long="refuse"
    )
    assert (code, told["judged"]) == (1, {"failed": 1})
