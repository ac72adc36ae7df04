"""What a worker needs from Kafka before it starts. Faust itself stays silent about all of it."""

import time
from collections.abc import Sequence

from kafka.admin import KafkaAdminClient
from kafka.errors import (
    CoordinatorLoadInProgressError,
    CoordinatorNotAvailableError,
    GroupAuthorizationFailedError,
    KafkaError,
    NotCoordinatorError,
)

from judgestream.adapters.kafka.topics import admin, check
from judgestream.contracts.topics import Topic
from judgestream.core.errors import BrokerUnavailable, ConfigurationError
from judgestream.settings import Kafka

COORDINATOR_S = 20.0
"""The first group on a fresh broker makes it create its offsets topic, which takes a moment."""


def check_kafka(settings: Kafka, *, group: str, topics: Sequence[Topic]) -> None:
    """The broker answers, the topics are there, and this user may read the group.

    Raises:
        BrokerUnavailable: no broker, or its group coordinator does not come up.
        ConfigurationError: all that is missing, each with its mend.
    """
    client = admin(settings)
    try:
        differences = check(client, topics)
        problems = [str(one) for one in differences if one.found == "missing"]
        problems += _check_group(client, group)
    finally:
        client.close()
    if problems:
        raise ConfigurationError("Kafka is not ready:\n  " + "\n  ".join(problems))


def _check_group(client: KafkaAdminClient, group: str) -> list[str]:
    deadline = time.monotonic() + COORDINATOR_S
    while True:
        try:
            client.list_group_offsets({group: None})
            return []
        except GroupAuthorizationFailedError:
            return [f"this user may not read group {group}: grant READ on the group"]
        except (
            CoordinatorNotAvailableError,
            CoordinatorLoadInProgressError,
            NotCoordinatorError,
        ) as exc:
            if time.monotonic() > deadline:
                raise BrokerUnavailable(
                    f"no coordinator for group {group} within {COORDINATOR_S:.0f} s: {exc}"
                ) from exc
            time.sleep(0.3)
        except KafkaError as exc:
            raise BrokerUnavailable(f"group {group} could not be looked up: {exc}") from exc
