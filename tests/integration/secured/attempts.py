"""Attempts of a Kafka user with the client library itself, without the checks of our adapters."""

from collections.abc import Callable
from contextlib import closing

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition

from judgestream.adapters.kafka.connection import client_options
from judgestream.settings import Kafka

Attempt = Callable[[Kafka, str], object]
"""On the topic or group of this name. Raises the error of Kafka."""

CALL_MS = 10_000

PLANTED = "planted"
"""The key of every record and the name of every topic that an attempt would make."""


def read(settings: Kafka, topic: str) -> object:
    with closing(
        KafkaConsumer(**client_options(settings), group_id=None, auto_offset_reset="earliest")
    ) as consumer:
        place = TopicPartition(topic, 0)
        # needs Describe, without which `poll` waits in silence
        (offset,) = consumer.beginning_offsets([place], timeout_ms=CALL_MS).values()
        consumer.assign([place])
        consumer.seek(place, offset)
        return consumer.poll(timeout_ms=CALL_MS)


def write(settings: Kafka, topic: str) -> object:
    options = client_options(settings)
    # an idempotent one would be refused already for its producer id
    with closing(
        KafkaProducer(**options, max_block_ms=CALL_MS, enable_idempotence=False)
    ) as producer:
        return producer.send(topic, b"x", PLANTED.encode()).get(timeout=10)


def use_group(settings: Kafka, group: str) -> object:
    with closing(KafkaConsumer(**client_options(settings), group_id=group)) as consumer:
        place = TopicPartition("judge.verdicts.v1", 0)
        return consumer.committed(place, timeout_ms=CALL_MS)


def create(settings: Kafka, topic: str) -> object:
    with closing(KafkaAdminClient(**client_options(settings))) as client:
        return client.create_topics({topic: {"num_partitions": 1, "replication_factor": 1}})


def delete(settings: Kafka, topic: str) -> object:
    with closing(KafkaAdminClient(**client_options(settings))) as client:
        return client.delete_topics([topic])
