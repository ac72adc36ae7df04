"""The lag of a consumer group, asked of the broker."""

from collections.abc import Iterable, Mapping

from kafka import TopicPartition
from kafka.admin import KafkaAdminClient, OffsetSpec
from kafka.consumer.fetcher import IsolationLevel

from judgestream.adapters.kafka.topics import admin
from judgestream.contracts.topics import Topic
from judgestream.settings import Kafka


class GroupLag:
    """Callable: partitions -> records not yet committed by the group. Connects on first use."""

    def __init__(
        self, settings: Kafka, group: str, *, client: KafkaAdminClient | None = None
    ) -> None:
        """`client`: a connected client, which the caller closes."""
        self._settings = settings
        self._group = group
        self._client = client

    def __call__(self, partitions: Iterable[tuple[str, int]]) -> int:
        """Raises BrokerUnavailable or kafka-python's own errors while the broker is unavailable."""
        wanted = [TopicPartition(topic, partition) for topic, partition in partitions]
        return sum(self._lags(wanted).values()) if wanted else 0

    def by_partition(self, topic: Topic) -> Mapping[int, int]:
        """Partition -> records not yet committed by the group, of every partition of the topic.

        Raises as the call does.
        """
        lags = self._lags(partitions_of(self._connected(), topic))
        return {tp.partition: lag for tp, lag in lags.items()}

    def _lags(self, wanted: list[TopicPartition]) -> Mapping[TopicPartition, int]:
        client = self._connected()
        # the records of an open transaction cannot be read yet, so they are not lag
        ends = client.list_partition_offsets(
            {tp: OffsetSpec.LATEST for tp in wanted},
            isolation_level=IsolationLevel.READ_COMMITTED,
        )
        starts = client.list_partition_offsets({tp: OffsetSpec.EARLIEST for tp in wanted})
        committed = client.list_group_offsets({self._group: wanted})[self._group]
        lags: dict[TopicPartition, int] = {}
        for tp in wanted:
            position = committed[tp].offset if tp in committed else -1
            lags[tp] = max(0, ends[tp].offset - max(position, starts[tp].offset))
        return lags

    def _connected(self) -> KafkaAdminClient:
        if self._client is None:
            self._client = admin(self._settings)
        return self._client


def partitions_of(client: KafkaAdminClient, topic: Topic) -> list[TopicPartition]:
    """Every partition of a topic; none if the topic does not exist."""
    if topic.name not in client.list_topics():
        return []
    described = client.describe_topics([topic.name])
    return [
        TopicPartition(topic.name, partition["partition_index"])
        for entry in described
        for partition in entry["partitions"]
    ]
