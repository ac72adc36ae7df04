"""What a worker needs from Kafka before it starts. Faust itself stays silent about all of it."""

from collections.abc import Sequence

from kafka.errors import KafkaError

from judgestream.adapters.kafka.topics import admin, check
from judgestream.contracts.topics import Topic
from judgestream.core.errors import ConfigurationError, JudgestreamError
from judgestream.settings import Kafka


def check_kafka(settings: Kafka, *, group: str, topics: Sequence[Topic]) -> None:
    """The broker answers, the topics are there with their partitions, and the group may be read.

    Raises:
        BrokerUnavailable: no broker.
        ConfigurationError: all that is missing, each with its mend.
    """
    client = admin(settings)
    try:
        problems = [
            str(difference) for difference in check(client, topics) if difference.found == "missing"
        ]
        try:
            client.list_group_offsets({group: None})
        except KafkaError as exc:
            problems.append(
                f"group {group} may not be read by this user ({type(exc).__name__}):"
                " grant READ on the group"
            )
    except JudgestreamError:
        raise
    finally:
        client.close()
    if problems:
        raise ConfigurationError("Kafka is not ready:\n  " + "\n  ".join(problems))
