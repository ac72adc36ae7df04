"""Bytes per request and per verdict in Kafka and Redis: constants of `judgestream plan`.

    python -m tests.benchmarks.record_bytes [--requests 3000]

Requests are the shipped written samples under new ids; the judge writes no explanations.
"""

import argparse
import json
import tempfile
from collections.abc import Iterator
from contextlib import closing
from itertools import cycle, islice
from pathlib import Path

import redis
from google.protobuf.json_format import ParseDict
from kafka import TopicPartition

from judgestream.adapters.kafka.topics import admin
from judgestream.contracts.topics import REQUESTS, VERDICTS, Topic
from judgestream.v1.judging_pb2 import JudgeRequest
from tests.benchmarks.report import Line
from tests.integration.cluster import Cluster, instant_triton, running, wait
from tests.paths import SERVICES

SAMPLES = SERVICES / "judgestream" / "samples" / "written.jsonl"


def requests(count: int) -> Iterator[JudgeRequest]:
    samples = [json.loads(line) for line in SAMPLES.read_text(encoding="utf-8").splitlines()]
    for k, sample in enumerate(islice(cycle(samples), count)):
        message = ParseDict(sample, JudgeRequest(), ignore_unknown_fields=True)  # its labels
        message.request_id = f"bytes-{k}"
        message.question = f"{message.question} ({k})"  # each its own prompt
        yield message


def record_bytes(cluster: Cluster, topic: Topic) -> float:
    """Mean of key, value and headers."""
    sizes = [
        len(record.key or b"")
        + len(record.value)
        + sum(len(name) + len(value) for name, value in record.headers)
        for _, record in cluster.records(topic)
    ]
    return sum(sizes) / len(sizes)


def log_bytes(folder: Path, topic: Topic) -> int:
    """The log segments of the topic on disk."""
    return sum(path.stat().st_size for path in folder.rglob(f"{topic.name}-*/*.log"))


def dataset_bytes(client: redis.Redis) -> int:
    return int(client.info("memory")["used_memory_dataset"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=3000)
    count = parser.parse_args().requests
    with tempfile.TemporaryDirectory() as name, instant_triton(Path(name)) as triton:
        folder = Path(name)
        with (
            running(folder, triton) as cluster,
            redis.from_url(cluster.valkey.url) as client,
        ):
            before = dataset_bytes(client)
            cluster.work("judging")
            ids = cluster.submit(requests(count))
            cluster.wait_verdicts(ids, seconds=120)
            published = dataset_bytes(client)
            cluster.work("bias")
            wait(lambda: lag(cluster) == 0, what="the bias worker to count", seconds=120)
            counted = dataset_bytes(client)
            for topic in (REQUESTS, VERDICTS):
                show(f"{topic.noun}: key, value and headers", record_bytes(cluster, topic))
                show(f"{topic.noun}: on disk, one replica", log_bytes(folder, topic) / count)
            show("redis: a published verdict", (published - before) / count)
            show("redis: a counted verdict", (counted - published) / count)


def show(bench: str, each: float) -> None:
    how = "mean of the written samples under new ids; no explanations"
    Line(
        bench=bench, ours=round(each), other=None, unit="bytes", ratio=each, goal=None, how=how
    ).show()


def lag(cluster: Cluster) -> int:
    """Verdicts that the bias workers have not committed."""
    partitions = [TopicPartition(VERDICTS.name, p) for p in range(VERDICTS.partitions)]
    with closing(admin(cluster.settings)) as client:
        committed = client.list_group_offsets({"judgestream-bias": partitions})["judgestream-bias"]
    done: int = sum(max(0, committed[tp].offset) for tp in partitions if tp in committed)
    return int(cluster.count(VERDICTS) - done)


if __name__ == "__main__":
    main()
