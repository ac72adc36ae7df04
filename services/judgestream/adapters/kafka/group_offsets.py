"""Committed offsets of a group, read once its coordinator is available, and copied to another group."""

from collections.abc import Mapping, Sequence
from time import monotonic, sleep

from kafka import TopicPartition
from kafka.admin import KafkaAdminClient
from kafka.errors import (
    CoordinatorLoadInProgressError,
    CoordinatorNotAvailableError,
    GroupAuthorizationFailedError,
    KafkaError,
    NoError,
    NotCoordinatorError,
)
from kafka.structs import OffsetAndMetadata

from judgestream.core.errors import BrokerUnavailable, ConfigurationError

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


def set_group_offsets(
    client: KafkaAdminClient, group: str, offsets: Mapping[TopicPartition, int]
) -> None:
    """Let a group without members continue at these offsets.

    Raises:
        ConfigurationError: the broker refuses them, for example because the group has members.
        BrokerUnavailable: the broker fails, or the group has no coordinator within `COORDINATOR_S`.
    """
    places = {tp: OffsetAndMetadata(offset, "", -1) for tp, offset in offsets.items()}
    deadline = monotonic() + COORDINATOR_S
    while True:
        try:
            answers = client.alter_group_offsets(group, places)
        except _STARTING as exc:
            failed = {type(exc)}
        except KafkaError as exc:
            raise BrokerUnavailable(f"the offsets of group {group} were not set: {exc}") from exc
        else:
            failed = {error for error in answers.values() if error is not NoError}
        if not failed:
            return
        names = ", ".join(sorted(error.__name__ for error in failed))
        if not all(issubclass(error, _STARTING) for error in failed):
            raise ConfigurationError(
                f"the broker refuses the offsets of group {group} ({names}): stop its members,"
                " and run this as a super user"
            )
        if monotonic() > deadline:
            raise BrokerUnavailable(
                f"no coordinator for group {group} within {COORDINATOR_S:.0f} s ({names}): run this again"
            )
        sleep(0.3)


def copy_group(client: KafkaAdminClient, source: str, target: str) -> int:
    """Let a new group start where another one has committed. Returns the number of partitions.

    Raises:
        ConfigurationError: the source has committed nothing, the target has, or one of them has members.
        BrokerUnavailable: the broker fails.
    """
    places = {tp: at for tp, at in group_offsets(client, source).items() if at.offset >= 0}
    if not places:
        raise ConfigurationError(f"group {source} has committed nothing: see `judgestream status`")
    if any(at.offset >= 0 for at in group_offsets(client, target).values()):
        raise ConfigurationError(f"group {target} has offsets already: name a group that has none")
    try:
        present = {group["group_id"] for group in client.list_groups()} & {source, target}
        for name, described in client.describe_groups(sorted(present)).items():
            if described.get("members"):
                raise ConfigurationError(
                    f"group {name} has {len(described['members'])} members: stop them, then copy"
                )
    except KafkaError as exc:
        raise BrokerUnavailable(f"group {source} could not be copied: {exc}") from exc
    set_group_offsets(client, target, {tp: at.offset for tp, at in places.items()})
    return len(places)
