"""Changes of existing topics: settings, partitions, replicas. Every step may be repeated after a crash."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic, sleep
from typing import Any

from kafka import TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient
from kafka.errors import KafkaError, NoError

from judgestream.adapters.kafka.topic_plan import (
    OFFSETS_TOPIC,
    PARTITIONS,
    REPLICATION,
    Change,
    Found,
    more_replicas,
    planned,
    replica_load,
    spread,
)
from judgestream.adapters.kafka.topics import topic_configs
from judgestream.contracts.topics import TOPICS, Topic
from judgestream.core.errors import BrokerUnavailable, ConfigurationError

POLL_S = 0.5


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """The topics to change, with `replication` replicas each.

    partitions   topic -> number of partitions, where it is another one than the table says
    """

    replication: int
    partitions: Mapping[str, int]
    topics: tuple[Topic, ...] = tuple(TOPICS.values())


def plan(client: KafkaAdminClient, wanted: Wanted) -> list[Change]:
    """What has to change on the topics that exist. Replicas of Kafka's own topic of offsets come first.

    Raises:
        BrokerUnavailable: the broker does not describe its topics.
    """
    found = _found(client, [topic.name for topic in wanted.topics])
    changes = []
    if (offsets := found.get(OFFSETS_TOPIC)) and (
        more := more_replicas(offsets, wanted.replication)
    ):
        changes.append(more)
    for topic in wanted.topics:
        if topic.name in found:
            changes += planned(
                topic,
                found[topic.name],
                partitions=wanted.partitions.get(topic.name),
                replication=wanted.replication,
            )
    return changes


def make(
    client: KafkaAdminClient,
    changes: Sequence[Change],
    *,
    timeout_s: float,
    on_progress: Callable[[str], object],
) -> None:
    """Make the changes that are possible, one after the other, so that brokers copy one topic at a time.

    Args:
        timeout_s: how long copying may take, of all topics together.
        on_progress: called with one sentence a change.

    Raises:
        ConfigurationError: the broker refuses a change, or has too few brokers for the replicas.
        BrokerUnavailable: it does not answer, or copying takes longer. The brokers continue: run it again.
    """
    deadline = monotonic() + timeout_s
    for change in changes:
        if change.refused:
            continue
        try:
            if change.what == REPLICATION:
                _replicate(client, change.topic, int(change.after), deadline)
            elif change.what == PARTITIONS:
                _grow(client, change.topic, int(change.after))
            else:
                _set(client, change)
        except KafkaError as exc:
            if exc.retriable:
                raise BrokerUnavailable(
                    f"{change}: the broker failed: {exc}; run it again"
                ) from exc
            raise ConfigurationError(f"{change}: the broker refuses it: {exc}") from exc
        on_progress(str(change))


def _found(client: KafkaAdminClient, names: Iterable[str]) -> dict[str, Found]:
    try:
        present = set(client.list_topics())
        wanted = sorted({*names, OFFSETS_TOPIC} & present)
        described = client.describe_topics(wanted) if wanted else []
        settings = topic_configs(client, wanted)
    except KafkaError as exc:
        raise BrokerUnavailable(f"the broker does not describe its topics: {exc}") from exc
    return {
        entry["name"]: Found(
            name=entry["name"],
            replicas={one["partition_index"]: one["replica_nodes"] for one in entry["partitions"]},
            config=settings.get(entry["name"], {}),
        )
        for entry in described
    }


def _set(client: KafkaAdminClient, change: Change) -> None:
    resource = ConfigResource(
        ConfigResourceType.TOPIC, change.topic, configs={change.what: change.after}
    )
    client.alter_configs([resource])
    _await(
        lambda: (
            topic_configs(client, [change.topic])[change.topic].get(change.what) == change.after
        ),
        f"{change.topic} to have {change.what}={change.after}",
        monotonic() + 20.0,
    )


def _grow(client: KafkaAdminClient, topic: str, partitions: int) -> None:
    client.create_partitions({topic: partitions})
    _await(
        lambda: (
            len(_partitions(client, topic)) >= partitions
            and all(one["leader_id"] >= 0 for one in _partitions(client, topic))
        ),
        f"{topic} to have {partitions} partitions with leaders",
        monotonic() + 30.0,
    )


def _replicate(client: KafkaAdminClient, topic: str, replication: int, deadline: float) -> None:
    """Give a topic's partitions more replicas, and wait until they are in sync."""
    cluster = client.describe_cluster()["brokers"]
    racks = {one["broker_id"]: one.get("rack") or "" for one in cluster if not one.get("is_fenced")}
    names = [name for name in client.list_topics() if name in TOPICS or name == OFFSETS_TOPIC]
    load: Counter[int] = replica_load(_found(client, names).values())
    try:
        wanted = spread(
            _found(client, [topic])[topic].replicas, replication, racks=racks, load=load
        )
    except ValueError as exc:
        raise ConfigurationError(f"{topic}: {exc}") from exc
    answers = client.alter_partition_reassignments(
        {TopicPartition(topic, number): brokers for number, brokers in wanted.items()}
    )
    for tp, error in answers.items():
        if error not in (None, NoError):
            raise error(f"partition {tp.partition}")
    _await(
        lambda: (
            all(len(one["isr_nodes"]) >= replication for one in _partitions(client, topic))
            and not client.list_partition_reassignments(list(answers) or None)
        ),
        f"{topic} to be copied to {replication} brokers; the brokers continue, so run this again later",
        deadline,
    )


def _partitions(client: KafkaAdminClient, topic: str) -> list[dict[str, Any]]:
    (described,) = client.describe_topics([topic])
    return list(described["partitions"])


def _await(condition: Callable[[], bool], what: str, deadline: float) -> None:
    while not condition():
        if monotonic() > deadline:
            raise BrokerUnavailable(f"waited too long for {what}")
        sleep(POLL_S)
