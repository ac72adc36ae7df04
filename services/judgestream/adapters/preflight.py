"""Checks of Kafka before a worker starts. Faust reports none of these problems."""

from collections.abc import Sequence

from kafka.admin import KafkaAdminClient
from kafka.errors import GroupAuthorizationFailedError

from judgestream.adapters.kafka.group_offsets import group_offsets
from judgestream.adapters.kafka.topics import admin, check, topic_identity
from judgestream.contracts.topics import Topic
from judgestream.core.errors import ConfigurationError
from judgestream.settings import Kafka


def check_kafka(settings: Kafka, *, group: str, topics: Sequence[Topic]) -> str:
    """Check that the broker answers, the topics exist, and this user may read the group.

    Returns the id of the first topic. It changes when the topic is created again.

    Raises:
        BrokerUnavailable: no broker answers, or its group coordinator does not start.
        ConfigurationError: everything that is missing, and how to fix it.
    """
    client = admin(settings)
    try:
        differences = check(client, topics)
        problems = [str(difference) for difference in differences if difference.absent]
        problems += _check_group(client, group)
        identity = "" if problems else topic_identity(client, topics[0])
    finally:
        client.close()
    if problems:
        raise ConfigurationError("Kafka is not ready:\n  " + "\n  ".join(problems))
    return identity


def _check_group(client: KafkaAdminClient, group: str) -> list[str]:
    try:
        group_offsets(client, group)
    except GroupAuthorizationFailedError:
        return [f"this user may not read group {group}: grant READ on the group"]
    return []
