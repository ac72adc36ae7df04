"""`redis rebuild`, `backup` and `restore` on real servers."""

import json
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import redis
from kafka import TopicPartition
from kafka.structs import OffsetAndMetadata
from typer.testing import CliRunner

from judgestream.adapters.kafka.topics import admin
from judgestream.apps.cli import main
from judgestream.contracts.topics import LABELS, REQUESTS, TOPICS, VERDICTS
from judgestream.v1.judging_pb2 import JudgeRequest, Label
from tests.integration.cluster import Cluster, Servers, pairs, remove_members, running, wait

pytestmark = pytest.mark.integration

GROUP = "judgestream-judging"


def command(cluster: Cluster, *arguments: str, code: int = 0) -> str:
    """What a command prints, in this process: another one would cost a second a call."""
    done = CliRunner().invoke(main, list(arguments), env=cluster.environment())
    assert done.exit_code == code, done.output
    return done.output


def systems(requests: list[JudgeRequest]) -> list[JudgeRequest]:
    for request in requests:
        request.candidates[0].system, request.candidates[1].system = "model-a", "model-b"
    return requests


def stop_judging(cluster: Cluster) -> None:
    cluster.workers.pop("judging-0").stop()
    with closing(admin(cluster.settings)) as client:
        remove_members(client, GROUP)


def lag(cluster: Cluster) -> int:
    with closing(admin(cluster.settings)) as client:
        places = client.list_group_offsets({GROUP: None})[GROUP]
        committed: int = sum(
            place.offset for tp, place in places.items() if tp.topic == REQUESTS.name
        )
    return cluster.count(REQUESTS) - committed


def figures(cluster: Cluster, *arguments: str) -> list[dict[str, Any]]:
    """What a command prints as JSON, one object a line."""
    return [
        json.loads(text)
        for text in command(cluster, *arguments, "--format", "json").splitlines()
        if text.startswith("{")
    ]


def content(cluster: Cluster) -> dict[str, list[tuple[Any, ...]]]:
    """Every record of every topic, in the order of its partition."""
    return {
        name: sorted(
            (
                (tp.partition, k, record.key, record.value, record.timestamp, tuple(record.headers))
                for k, (tp, record) in enumerate(cluster.records(topic))
            ),
            key=lambda row: row[:2],
        )
        for name, topic in TOPICS.items()
    }


def counts(windows: list[dict[str, Any]]) -> Counter[str]:
    total: Counter[str] = Counter()
    for window in windows:
        total.update({k: int(n) for k, n in window["counts"].items()})
    return +total


def test_redis_is_rebuilt_and_a_backup_continues_elsewhere(
    cluster: Cluster, servers: Servers, tmp_path: Path
) -> None:
    cluster.work("judging")
    cluster.work("bias")
    first = cluster.submit(systems(pairs(40, "first")))
    cluster.wait_verdicts(first, seconds=60)
    second = cluster.submit(systems(pairs(40, "second", sleep_ms=20)))
    wait(lambda: cluster.count(VERDICTS) > 45, what="verdicts under load", seconds=60)
    with redis.from_url(cluster.valkey.url) as client:
        client.flushall()
    cluster.wait_verdicts([*first, *second], seconds=60)
    wait(lambda: lag(cluster) == 0, what="the offsets to be committed", seconds=30)

    # every request is delivered again, to a worker that remembers nothing
    stop_judging(cluster)
    with closing(admin(cluster.settings)) as kafka:
        everywhere = [TopicPartition(REQUESTS.name, n) for n in range(REQUESTS.partitions)]
        kafka.alter_group_offsets(GROUP, {tp: OffsetAndMetadata(0, "", -1) for tp in everywhere})
    told = command(cluster, "redis", "rebuild")
    assert "published verdicts: " in told and "bias windows: 80 verdicts" in told
    assert "published verdicts: 0 notes" in command(cluster, "redis", "rebuild"), "it is idempotent"
    cluster.work("judging")
    wait(lambda: lag(cluster) == 0, what="the redelivered requests to be committed", seconds=60)
    assert cluster.count(VERDICTS) == 80
    recounted = counts(figures(cluster, "bias", "report", "--from-topic"))
    assert recounted["n"] == 80
    wait(
        lambda: counts(figures(cluster, "bias", "report")) == recounted,
        what="the reports to equal a recount",
        seconds=30,
    )

    with closing(cluster.producer()) as producer:
        for k in range(9):
            label = Label(label_id=f"l{k}", request_id=f"first-{k}", annotator="p", winner="a")
            producer.send(LABELS.name, label.SerializeToString(), label.request_id.encode())
    backup = tmp_path / "backup"
    told = command(
        cluster,
        "backup",
        "--to",
        str(backup),
        "--topics",
        "all",
        "--models",
        str(servers.triton.model_repository),
    )
    assert "judge.verdicts.v1: 80 records" in told and "judge.labels.v1: 9 records" in told
    assert "holds a complete backup" in command(
        cluster, "backup", "--to", str(backup), "--no-models", code=2
    )
    asked = (("bias", "recompute"), ("leaderboard",), ("agreement",))
    before = [command(cluster, *one, "--format", "json") for one in asked]
    assert "members: stop the workers" in command(
        cluster, "restore", "--from", str(backup), "--no-models", code=2
    )
    cluster.stop_workers()
    held = content(cluster)

    (tmp_path / "other").mkdir()
    with running(tmp_path / "other", servers.triton) as other:
        models = tmp_path / "models"
        told = command(other, "restore", "--from", str(backup), "--models", str(models))
        assert f"group {GROUP}: {REQUESTS.partitions} offsets" in told
        assert "judge.verdicts.v1: 0 records written" in command(
            other, "restore", "--from", str(backup), "--models", str(models)
        ), "a complete restore has nothing to do"
        source = servers.triton.model_repository
        copied = sorted(one.relative_to(models) for one in models.rglob("*.pbtxt"))
        assert copied == sorted(one.relative_to(source) for one in source.rglob("*.pbtxt"))
        assert len(copied) >= 1
        restored = content(other)
        # the bias worker has published reports since the backup was made
        for name in ("judge.requests.v1", "judge.verdicts.v1", "judge.labels.v1"):
            assert [row[2:] for row in restored[name]] == [row[2:] for row in held[name]]
        command(other, "redis", "rebuild")
        assert [command(other, *one, "--format", "json") for one in asked] == before
        other.work("judging")
        more = other.submit(pairs(5, "third"))
        other.wait_verdicts(more, seconds=60)
        assert other.count(VERDICTS) == 85
