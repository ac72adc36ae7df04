"""The start of a consumer group without commits, and the backlog before it.

A new group would read its topic from the first record, so every retained request would be judged, and
perhaps paid for. So the start is a setting, it is committed before the first worker joins, and its backlog is
shown.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from kafka import KafkaConsumer, TopicPartition
from kafka.admin import KafkaAdminClient, OffsetSpec
from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata

from judgestream.adapters.kafka.connection import client_options
from judgestream.adapters.kafka.topics import admin
from judgestream.contracts.topics import Topic
from judgestream.core.errors import BrokerUnavailable
from judgestream.settings import Kafka

EARLIEST = "earliest"
LATEST = "latest"

SAMPLE = 50
SAMPLE_MS = 2000


@dataclass(frozen=True, kw_only=True, slots=True)
class Start:
    """The start of a group on a topic.

    new       the group has no commits there
    offsets   partition -> first offset to read; empty for a group that is not new
    records   from there to the end of the topic, control records included
    sizes     bytes of the values of a sample
    """

    new: bool
    offsets: dict[int, int]
    records: int
    sizes: tuple[int, ...] = ()

    @property
    def mean_bytes(self) -> float:
        return sum(self.sizes) / len(self.sizes) if self.sizes else 0.0


def find_start(settings: Kafka, *, group: str, topic: Topic, start: str, sample: bool) -> Start:
    """Find where the group would begin. Changes nothing.

    Args:
        start: `earliest`, `latest`, or an ISO time; for a group without commits on the topic.
        sample: read a few records for their sizes.

    Raises:
        BrokerUnavailable: the broker does not answer.
    """
    client = admin(settings)
    try:
        (described,) = client.describe_topics([topic.name])
        wanted = [TopicPartition(topic.name, p["partition_index"]) for p in described["partitions"]]
        committed = client.list_group_offsets({group: wanted})[group]
        if any(commit.offset >= 0 for commit in committed.values()):
            return Start(new=False, offsets={}, records=0)
        firsts = _offsets(client, wanted, OffsetSpec.EARLIEST)
        ends = _offsets(client, wanted, OffsetSpec.LATEST)
        begins = dict(firsts)
        if start == LATEST:
            begins = ends
        elif start != EARLIEST:
            firsts_since = _offsets(client, wanted, int(as_time(start).timestamp() * 1000))
            # -1: no record is so new
            begins = {tp: firsts_since[tp] if firsts_since[tp] >= 0 else ends[tp] for tp in wanted}
    except KafkaError as exc:
        raise BrokerUnavailable(
            f"the start of group {group} could not be looked up: {exc}"
        ) from exc
    finally:
        client.close()
    records = sum(max(0, ends[tp] - begins[tp]) for tp in wanted)
    return Start(
        new=True,
        offsets={tp.partition: begins[tp] for tp in wanted},
        records=records,
        sizes=_sample(settings, begins, ends) if sample and records else (),
    )


def commit_start(settings: Kafka, *, group: str, topic: Topic, start: Start) -> None:
    """Commit the start for the group, so that all its workers begin there.

    If another worker of the group has joined or committed meanwhile, its commits stand.

    Raises:
        BrokerUnavailable: the broker does not accept them.
    """
    offsets = {
        TopicPartition(topic.name, partition): OffsetAndMetadata(offset, "", -1)
        for partition, offset in start.offsets.items()
    }
    client = admin(settings)
    try:
        client.alter_group_offsets(group, offsets)
    except KafkaError as exc:
        raise BrokerUnavailable(
            f"the start of group {group} could not be committed: {exc}"
        ) from exc
    finally:
        client.close()


def as_time(text: str) -> datetime:
    """An ISO time; UTC where it names no zone. Raises ValueError."""
    time = datetime.fromisoformat(text)
    return time if time.tzinfo is not None else time.replace(tzinfo=UTC)


def _offsets(
    client: KafkaAdminClient, wanted: list[TopicPartition], spec: int
) -> dict[TopicPartition, int]:
    offsets = client.list_partition_offsets({tp: spec for tp in wanted})
    return {tp: offsets[tp].offset for tp in wanted}


def _sample(
    settings: Kafka, begins: dict[TopicPartition, int], ends: dict[TopicPartition, int]
) -> tuple[int, ...]:
    """Sizes of the first records; fewer or none where they cannot be read."""
    sizes: list[int] = []
    try:
        consumer = KafkaConsumer(
            **client_options(settings),
            group_id=None,
            enable_auto_commit=False,
            max_poll_records=SAMPLE,
        )
        try:
            wanted = [tp for tp in begins if ends[tp] > begins[tp]]
            consumer.assign(wanted)
            for tp in wanted:
                consumer.seek(tp, begins[tp])
            for batch in consumer.poll(timeout_ms=SAMPLE_MS).values():
                sizes += [len(record.value or b"") for record in batch]
        finally:
            consumer.close()
    except Exception:  # noqa: BLE001 - a failed estimate must not stop the start
        return tuple(sizes)
    return tuple(sizes)
