"""The lag of a consumer group, asked of the broker."""

from collections.abc import Iterable

from kafka import TopicPartition
from kafka.admin import KafkaAdminClient, OffsetSpec
from kafka.consumer.fetcher import IsolationLevel

from judgestream.adapters.kafka.topics import admin
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
        if not wanted:
            return 0
        if self._client is None:
            self._client = admin(self._settings)
        # the records of an open transaction cannot be read yet, so they are not lag
        ends = self._client.list_partition_offsets(
            {tp: OffsetSpec.LATEST for tp in wanted},
            isolation_level=IsolationLevel.READ_COMMITTED,
        )
        starts = self._client.list_partition_offsets({tp: OffsetSpec.EARLIEST for tp in wanted})
        committed = self._client.list_group_offsets({self._group: wanted})[self._group]
        behind = 0
        for tp in wanted:
            position = committed[tp].offset if tp in committed else -1
            behind += max(0, ends[tp].offset - max(position, starts[tp].offset))
        return behind
