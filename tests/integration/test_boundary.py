"""Requests from every client in every codec, and a record set aside by hand."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator

import pytest
from aiokafka import AIOKafkaProducer
from confluent_kafka import Producer
from kafka import KafkaProducer
from kafka.admin import ConfigResource, ConfigResourceType

from judgestream.adapters.kafka.topics import admin, check
from judgestream.client import Producer as OurProducer
from judgestream.client import pair
from judgestream.contracts.topics import DEAD_LETTERS, REQUESTS
from judgestream.v1.judging_pb2 import DeadLetter
from tests.integration.cluster import Cluster, Servers, pairs, wait

pytestmark = pytest.mark.integration

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, servers: Servers) -> Iterator[Cluster]:
    with servers.cluster(tmp_path_factory.mktemp("boundary")) as cluster:
        yield cluster


def skip(cluster: Cluster, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "judgestream.apps.cli", "dlq", "skip", *arguments],
        env=cluster.environment(),
        cwd=cluster.folder,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_a_record_set_aside_by_hand_is_a_dead_letter_and_the_others_are_judged(
    shared: Cluster,
) -> None:
    producer = shared.producer()
    for request in pairs(4, "skip"):
        producer.send(REQUESTS.name, request.SerializeToString(), b"one", partition=0).get(30)
    producer.close()
    lossy = skip(shared, REQUESTS.name, "0", "3", "--move-group")
    assert lossy.returncode == 2 and "would lose the 3 records" in lossy.stderr
    assert skip(shared, REQUESTS.name, "0", "9").returncode == 2
    moved = skip(shared, REQUESTS.name, "0", "0", "--move-group")
    assert moved.returncode == 0, moved.stderr
    listed = skip(shared, REQUESTS.name, "0", "2")
    assert listed.returncode == 0, listed.stderr
    shared.work()
    shared.wait_verdicts(["skip-1", "skip-3"], seconds=30)
    wait(lambda: shared.count(DEAD_LETTERS) == 2, what="two dead letters", seconds=20)
    letters = [DeadLetter.FromString(record.value) for _, record in shared.records(DEAD_LETTERS)]
    assert {(one.offset, one.error_class) for one in letters} == {
        (0, "skipped_by_hand"),
        (2, "skipped_by_hand"),
    }
    assert all(one.value for one in letters)
    assert {one.request_id for one in shared.verdicts()} == {"skip-1", "skip-3"}
    running_group = skip(shared, REQUESTS.name, "0", "0")
    assert running_group.returncode == 2 and "already past" in running_group.stderr


def test_every_codec_of_every_client_is_judged(shared: Cluster) -> None:
    bootstrap = shared.kafka.bootstrap
    if not shared.workers:
        shared.work()
    client = admin(shared.settings)
    resource = ConfigResource(ConfigResourceType.TOPIC, REQUESTS.name, {"compression.type": "zstd"})
    client.alter_configs([resource])
    told = [str(one) for one in check(client) if one.topic == REQUESTS.name]
    client.close()
    assert any("compression.type is zstd, the table says producer" in one for one in told)
    ids: list[str] = []

    def records(name: str, codec: str) -> list[bytes]:
        made = pairs(5, f"{name}-{codec}")
        ids.extend(request.request_id for request in made)
        return [request.SerializeToString() for request in made]

    async def by_aiokafka(codec: str) -> None:
        kind = None if codec == "none" else codec
        sender = AIOKafkaProducer(bootstrap_servers=bootstrap, compression_type=kind, linger_ms=20)
        await sender.start()
        sent = [await sender.send(REQUESTS.name, value) for value in records("aiokafka", codec)]
        await asyncio.gather(*sent)
        await sender.stop()

    for codec in CODECS:
        plain = KafkaProducer(
            bootstrap_servers=bootstrap,
            compression_type=None if codec == "none" else codec,
            linger_ms=20,
        )
        for value in records("kafka-python", codec):
            plain.send(REQUESTS.name, value)
        plain.flush(30)
        plain.close()
        confluent = Producer({"bootstrap.servers": bootstrap, "compression.type": codec})
        for value in records("confluent", codec):
            confluent.produce(REQUESTS.name, value)
        assert confluent.flush(30) == 0
        asyncio.run(by_aiokafka(codec))
    with OurProducer(settings=shared.settings) as ours:
        ours.submit(pair("2 + 2?", "4", "5", request_id="ours"))
    shared.wait_verdicts([*ids, "ours"], seconds=60)
    assert len(ids) == 3 * 5 * 5
