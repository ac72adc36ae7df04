"""Errors between a Kafka client and its broker, each with how to fix it."""

from judgestream.core.errors import BrokerUnavailable, ConfigurationError
from judgestream.settings import Kafka


def no_broker(settings: Kafka, exc: Exception) -> BrokerUnavailable:
    """No broker answers. kafka-python reports a wrong password or security protocol in the same way."""
    return BrokerUnavailable(
        f"no Kafka broker answers at {settings.bootstrap} ({exc}): start it, or set"
        " JUDGESTREAM_KAFKA__BOOTSTRAP (and, for a secured broker, kafka.security and its login)"
    )


def no_topic(topic: str) -> ConfigurationError:
    return ConfigurationError(
        f"topic {topic} is missing, or this user may not see it: `judgestream topics apply` creates it"
    )


def broker_failed(settings: Kafka, topic: str, exc: Exception) -> BrokerUnavailable:
    """A broker that answered before fails to do what was asked."""
    return BrokerUnavailable(
        f"topic {topic} at {settings.bootstrap}: {type(exc).__name__}: {exc}:"
        " check that the broker runs and that this user may use the topic"
    )
