"""Moving a stopped consumer group past one record."""

from kafka import TopicPartition
from kafka.admin import KafkaAdminClient, OffsetSpec
from kafka.errors import GroupAuthorizationFailedError, KafkaError, NoError
from kafka.structs import OffsetAndMetadata

from judgestream.adapters.kafka.group_offsets import group_offsets
from judgestream.core.errors import BrokerUnavailable, ConfigurationError


class GroupPlace:
    """Where a group is on one partition. Every method raises BrokerUnavailable when the broker refuses."""

    def __init__(self, client: KafkaAdminClient, group: str, topic: str, partition: int) -> None:
        self._client = client
        self._group = group
        self._tp = TopicPartition(topic, partition)

    def bounds(self) -> tuple[int, int]:
        """The first offset that is still there, and the one behind the last.

        Raises:
            ConfigurationError: no such partition.
        """
        try:
            first = self._client.list_partition_offsets({self._tp: OffsetSpec.EARLIEST})
            end = self._client.list_partition_offsets({self._tp: OffsetSpec.LATEST})
            return first[self._tp].offset, end[self._tp].offset
        except KafkaError as exc:
            raise ConfigurationError(
                f"{self._tp.topic}[{self._tp.partition}] cannot be looked up: {exc};"
                " name a topic and a partition that exist"
            ) from exc

    def committed(self) -> int | None:
        """The offset that the group reads next; None before its first commit."""
        try:
            committed = group_offsets(self._client, self._group, [self._tp])
        except GroupAuthorizationFailedError as exc:
            raise BrokerUnavailable(f"group {self._group} could not be looked up: {exc}") from exc
        offset = committed[self._tp].offset if self._tp in committed else -1
        return offset if offset >= 0 else None

    def move(self, offset: int) -> None:
        """Let the group continue at this offset.

        Raises:
            ConfigurationError: a member runs, or has stopped less than a session time-out ago.
        """
        try:
            results = self._client.alter_group_offsets(
                self._group, {self._tp: OffsetAndMetadata(offset, "", -1)}
            )
        except KafkaError as exc:
            raise BrokerUnavailable(f"group {self._group} could not be moved: {exc}") from exc
        problem = results.get(self._tp, NoError)
        if problem is not NoError:
            raise ConfigurationError(
                f"group {self._group} could not be moved ({problem.__name__}): stop its workers, and"
                " wait until their session time-out is over (kafka.session_timeout_s)"
            )
