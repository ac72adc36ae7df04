"""Errors between a Kafka client and its broker, each with how to fix it."""

from judgestream.adapters.kafka.greeting import reason
from judgestream.adapters.kafka.refusals import of_right
from judgestream.core.errors import AccessDenied, BrokerUnavailable, ConfigurationError
from judgestream.settings import Kafka


def no_broker(settings: Kafka, exc: Exception) -> BrokerUnavailable:
    """No broker answers, or none accepts us: kafka-python reports both in the same way."""
    why = reason(settings)
    return BrokerUnavailable(
        f"no Kafka broker answers at {settings.bootstrap} ({why or exc}): start it, or set"
        " JUDGESTREAM_KAFKA__BOOTSTRAP (and, for a secured broker, kafka.security and its login)"
    )


def no_topic(topic: str) -> ConfigurationError:
    return ConfigurationError(
        f"topic {topic} is missing, or this user may not see it: `judgestream topics apply` creates it,"
        " `judgestream topics acls` prints the rights of every user"
    )


def broker_failed(
    settings: Kafka, topic: str, exc: Exception, *, group: str = ""
) -> BrokerUnavailable:
    """A broker that answered before fails to do what was asked."""
    if missing := of_right(exc, settings, topic=topic, group=group):
        return AccessDenied(missing)
    return BrokerUnavailable(
        f"topic {topic} at {settings.bootstrap}: {type(exc).__name__}: {exc}:"
        " check that the broker runs and that this user may use the topic"
    )
