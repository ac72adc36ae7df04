"""Committed offsets of a group, read once its coordinator is available."""

from collections.abc import Mapping, Sequence
from time import monotonic, sleep

from kafka import TopicPartition
from kafka.admin import KafkaAdminClient
from kafka.errors import (
    CoordinatorLoadInProgressError,
    CoordinatorNotAvailableError,
    GroupAuthorizationFailedError,
    KafkaError,
    NotCoordinatorError,
)
from kafka.structs import OffsetAndMetadata

from judgestream.core.errors import BrokerUnavailable

COORDINATOR_S = 20.0
"""A new broker creates its offsets topic for the first group, which takes a moment."""

_STARTING = (CoordinatorNotAvailableError, CoordinatorLoadInProgressError, NotCoordinatorError)


def group_offsets(
    client: KafkaAdminClient, group: str, partitions: Sequence[TopicPartition] | None = None
) -> Mapping[TopicPartition, OffsetAndMetadata]:
    """The offsets that the group has committed, of all partitions by default; -1 before its first commit.

    Raises:
        GroupAuthorizationFailedError: this user may not read the group.
        BrokerUnavailable: the broker fails, or the group has no coordinator within `COORDINATOR_S`.
    """
    deadline = monotonic() + COORDINATOR_S
    while True:
        try:
            offsets: Mapping[TopicPartition, OffsetAndMetadata] = client.list_group_offsets(
                {group: partitions}
            )[group]
            return offsets
        except _STARTING as exc:
            if monotonic() > deadline:
                raise BrokerUnavailable(
                    f"no coordinator for group {group} within {COORDINATOR_S:.0f} s: {exc}"
                ) from exc
            sleep(0.3)
        except GroupAuthorizationFailedError:
            raise
        except KafkaError as exc:
            raise BrokerUnavailable(f"group {group} could not be looked up: {exc}") from exc
