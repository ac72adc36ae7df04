"""What a worker needs from Kafka and Redis before it starts. Faust itself is silent about all of it."""

import time
from collections.abc import Mapping, Sequence

from kafka.admin import KafkaAdminClient
from kafka.errors import (
    CoordinatorLoadInProgressError,
    CoordinatorNotAvailableError,
    GroupAuthorizationFailedError,
    KafkaError,
    NotCoordinatorError,
)

from judgestream.adapters.kafka.topics import admin, check, topic_identity
from judgestream.contracts.topics import Topic
from judgestream.core.errors import BrokerUnavailable, ConfigurationError, StoreUnavailable
from judgestream.settings import Kafka, Redis

REDIS_S = 5.0
COORDINATOR_S = 20.0
"""The first group on a fresh broker makes it create its offsets topic, which takes a moment."""


def check_kafka(settings: Kafka, *, group: str, topics: Sequence[Topic]) -> str:
    """The broker answers, the topics are there, and this user may read the group.

    Returns the id that Kafka gave the first of the topics when it was created: another one means that the
    topic was made anew.

    Raises:
        BrokerUnavailable: no broker, or its group coordinator does not come up.
        ConfigurationError: all that is missing, each with its mend.
    """
    client = admin(settings)
    try:
        differences = check(client, topics)
        problems = [str(one) for one in differences if one.absent]
        problems += _check_group(client, group)
        identity = "" if problems else topic_identity(client, topics[0])
    finally:
        client.close()
    if problems:
        raise ConfigurationError("Kafka is not ready:\n  " + "\n  ".join(problems))
    return identity


def check_redis(settings: Redis) -> str:
    """What is not as it should be but can be lived with, as one line; "" when all is well.

    Raises:
        StoreUnavailable: no answer.
        ConfigurationError: this Redis would lose or refuse what the bias windows need.
    """
    import redis

    url = settings.url.get_secret_value()
    try:
        client: redis.Redis = redis.Redis.from_url(
            url, socket_timeout=REDIS_S, socket_connect_timeout=REDIS_S
        )
        with client:
            client.ping()
            try:
                told = dict(client.info())
            except redis.ResponseError as exc:
                return f"INFO is refused ({exc}), so its mode and eviction policy are not known"
    except redis.RedisError as exc:
        raise StoreUnavailable(
            f"Redis does not answer ({exc}): start it, or set JUDGESTREAM_REDIS__URL"
        ) from exc
    except (OSError, ValueError) as exc:
        # not its words: they quote parts of the URL, and one part is the password
        raise StoreUnavailable(
            f"redis.url cannot be used ({type(exc).__name__}): give redis://HOST:PORT/0"
        ) from None
    return check_redis_info(told)


def check_redis_info(told: Mapping[str, object]) -> str:
    """Judge what INFO says. Returns and raises as `check_redis` does."""
    if str(told.get("cluster_enabled", 0)) == "1" or told.get("redis_mode") == "cluster":
        raise ConfigurationError(
            "redis.url names a Redis Cluster, whose scripts may not use keys of several slots (CROSSSLOT):"
            " use a single Redis or Valkey, with replicas if need be"
        )
    policy = str(told.get("maxmemory_policy", "noeviction"))
    if policy != "noeviction" and str(told.get("maxmemory", 0)) != "0":
        raise ConfigurationError(
            f"Redis evicts keys when it is full (maxmemory-policy {policy}), and bias windows would be lost"
            " without a word: set maxmemory-policy noeviction"
        )
    return ""


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
