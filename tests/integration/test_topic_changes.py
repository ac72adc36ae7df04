"""`topics plan` and `topics apply --alter` on three brokers."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient
from kafka.structs import OffsetAndMetadata
from typer.testing import CliRunner

from judgestream.adapters.kafka import consuming
from judgestream.adapters.kafka.reading import TopicReader
from judgestream.adapters.kafka.topic_plan import OFFSETS_TOPIC
from judgestream.adapters.kafka.topics import admin, apply
from judgestream.apps.cli import main
from judgestream.contracts.topics import ALARMS, LABELS, REQUESTS, TOPICS, VERDICTS
from judgestream.core.errors import UndecodableRecord
from judgestream.local.kafka import KafkaServer
from judgestream.settings import Kafka
from judgestream.terminal.exit_codes import ExitCode
from judgestream.v1.judging_pb2 import Verdict
from tests.integration.brokers import Broker
from tests.integration.cluster import wait

pytestmark = pytest.mark.integration

RECORDS = 40
"""Of each topic. More than partitions, so that every partition of 8 has some."""

Brokers = tuple[KafkaServer, Broker, Broker]


@pytest.fixture(scope="module")
def brokers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Brokers]:
    with ExitStack() as stack:
        first = stack.enter_context(KafkaServer(data_dir=tmp_path_factory.mktemp("first")))
        second, third = (
            stack.enter_context(Broker(first, node=node, data_dir=tmp_path_factory.mktemp("more")))
            for node in (2, 3)
        )
        yield first, second, third


def everywhere(brokers: Brokers) -> str:
    return ",".join(one.address for one in brokers)


def values(bootstrap: str, topic: str) -> list[bytes]:
    with closing(KafkaConsumer(bootstrap_servers=bootstrap.split(","), group_id=None)) as consumer:
        partitions = [TopicPartition(topic, n) for n in consumer.partitions_for_topic(topic) or ()]
        consumer.assign(partitions)
        consumer.seek_to_beginning(*partitions)
        ends = consumer.end_offsets(partitions)
        found: list[bytes] = []
        while any(consumer.position(tp) < ends[tp] for tp in partitions):
            for batch in consumer.poll(timeout_ms=200).values():
                found += [record.value for record in batch]
    return sorted(found)


def replicas(client: KafkaAdminClient) -> Counter[int]:
    """How many partitions, of our topics and the offsets, have how many replicas in sync."""
    described = client.describe_topics([*TOPICS, OFFSETS_TOPIC])
    return Counter(len(one["isr_nodes"]) for entry in described for one in entry["partitions"])


def test_one_replica_becomes_three_and_a_dead_broker_takes_nothing_with_it(
    brokers: Brokers, monkeypatch: pytest.MonkeyPatch
) -> None:
    bootstrap = everywhere(brokers)
    settings = Kafka(bootstrap=bootstrap)
    monkeypatch.setenv("JUDGESTREAM_KAFKA__BOOTSTRAP", bootstrap)
    monkeypatch.setenv("JUDGESTREAM_KAFKA__REPLICATION_FACTOR", "3")
    monkeypatch.setattr(consuming, "METADATA_MS", 1000)
    runner = CliRunner()
    with closing(admin(settings)) as client, ExitStack() as stack:
        apply(client, settings)
        client.alter_configs(
            [
                ConfigResource(
                    ConfigResourceType.TOPIC, REQUESTS.name, configs={"retention.ms": "1000"}
                ),
                ConfigResource(
                    ConfigResourceType.TOPIC, LABELS.name, configs={"cleanup.policy": "compact"}
                ),
            ]
        )
        sent = [b"%d" % k for k in range(RECORDS)]
        kept = [name for name in TOPICS if name not in (REQUESTS.name,)]
        with closing(KafkaProducer(bootstrap_servers=bootstrap.split(","), acks="all")) as producer:
            for name in kept:
                for value in sent:
                    producer.send(name, value, key=value)
            producer.flush(timeout=30)
        place = TopicPartition(VERDICTS.name, 0)
        with closing(
            KafkaConsumer(
                bootstrap_servers=bootstrap.split(","), group_id="g", enable_auto_commit=False
            )
        ) as member:
            member.assign([place])
            member.commit({place: OffsetAndMetadata(3, "", -1)})
        reader = stack.enter_context(TopicReader(settings, VERDICTS, Verdict))
        reader.seek(reader.end())

        planned = runner.invoke(main, ["topics", "plan", "--format", "json"])
        assert planned.exit_code == ExitCode.NO, planned.output
        changes = [json.loads(one) for one in planned.stdout.splitlines()]
        assert changes[0]["topic"] == OFFSETS_TOPIC
        assert Counter(one["what"] for one in changes) == {
            "replication factor": len(TOPICS) + 1,
            "retention.ms": 1,
            "cleanup.policy": 1,
        }
        assert set(replicas(client)) == {1}, "a plan changes nothing"
        asked = runner.invoke(main, ["topics", "apply", "--alter"], input="n\n")
        assert asked.exit_code == 1 and set(replicas(client)) == {1}

        more = f"{VERDICTS.name}={VERDICTS.partitions + 2}"
        done = runner.invoke(main, ["topics", "apply", "--alter", "--yes", "--partitions", more])
        assert done.exit_code == 0, done.output
        assert set(replicas(client)) == {3}
        again = runner.invoke(main, ["topics", "plan"])
        assert again.exit_code == 0, again.output
        refused = runner.invoke(main, ["topics", "plan", "--partitions", f"{ALARMS.name}=2"])
        assert refused.exit_code == ExitCode.NO and "compacted" in refused.stdout

        led = Counter(
            one["leader_id"]
            for entry in client.describe_topics([*TOPICS])
            for one in entry["partitions"]
        )
        assert led[2] > 0, "the broker that dies leads some partitions"
        brokers[1].kill()
        left = ",".join([brokers[0].address, brokers[2].address])
        wait(
            lambda: all(
                one["leader_id"] in (1, 3)
                for entry in client.describe_topics([*TOPICS, OFFSETS_TOPIC])
                for one in entry["partitions"]
            ),
            what="the other brokers to lead every partition",
            seconds=30,
        )
        assert {name: values(left, name) for name in kept} == {name: sorted(sent) for name in kept}
        committed = client.list_group_offsets({"g": [place]})["g"]
        assert committed[place].offset == 3
        monkeypatch.setenv("JUDGESTREAM_KAFKA__BOOTSTRAP", left)
        for source, told in (("g", "g2: starts where g stopped, on 1 partition"), ("none", "")):
            copied = runner.invoke(main, ["topics", "copy-group", source, "g2"])
            assert (copied.exit_code == 0) == bool(told) and told in copied.stdout
        assert client.list_group_offsets({"g2": [place]})["g2"][place].offset == 3
        taken = runner.invoke(main, ["topics", "copy-group", "g", "g2"])
        assert taken.exit_code == ExitCode.USAGE and "has offsets already" in taken.stderr

        with closing(KafkaProducer(bootstrap_servers=left.split(","), acks="all")) as producer:
            for number in range(VERDICTS.partitions + 2):
                producer.send(VERDICTS.name, b"\xff", partition=number).get(timeout=30)
        seen: set[int] = set()

        def read() -> bool:
            batch = reader.poll(0.2)
            assert all(isinstance(one.message, UndecodableRecord) for one in batch)
            seen.update(one.record.partition for one in batch)
            return len(seen) == VERDICTS.partitions + 2

        wait(read, what="a reader that was there before to read the new partitions", seconds=30)
