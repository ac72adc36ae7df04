"""Checks of Kafka and Redis before a worker starts. Faust reports none of these problems."""

from collections.abc import Mapping, Sequence

from kafka.admin import KafkaAdminClient
from kafka.errors import GroupAuthorizationFailedError

from judgestream.adapters.kafka.group_offsets import group_offsets
from judgestream.adapters.kafka.topics import admin, check, topic_identity
from judgestream.contracts.topics import Topic
from judgestream.core.errors import ConfigurationError, StoreUnavailable
from judgestream.settings import Kafka, Redis

REDIS_S = 5.0
OLD_REDIS = frozenset("3456")
"""Major versions without `SET key value NX GET`."""


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


def check_redis(settings: Redis) -> str:
    """Check the server. Returns a warning of one line, or "".

    Raises:
        StoreUnavailable: Redis does not answer.
        ConfigurationError: the bias windows cannot work on this Redis.
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
                info = dict(client.info())
            except redis.ResponseError as exc:
                return f"INFO is refused ({exc}), so the mode and the eviction policy are unknown"
    except redis.RedisError as exc:
        raise StoreUnavailable(
            f"Redis does not answer ({exc}): start it, or set JUDGESTREAM_REDIS__URL"
        ) from exc
    except (OSError, ValueError) as exc:
        # without the message, which quotes parts of the URL, and so perhaps the password
        raise StoreUnavailable(
            f"redis.url is invalid ({type(exc).__name__}): use redis://HOST:PORT/0"
        ) from None
    return check_redis_info(info)


def check_redis_info(info: Mapping[str, object]) -> str:
    """Check the answer to INFO. Returns and raises as `check_redis` does."""
    if str(info.get("cluster_enabled", 0)) == "1" or info.get("redis_mode") == "cluster":
        raise ConfigurationError(
            "redis.url is a Redis Cluster, whose scripts cannot use keys of several slots (CROSSSLOT):"
            " use a single Redis or Valkey, with replicas if needed"
        )
    policy = str(info.get("maxmemory_policy", "noeviction"))
    if policy != "noeviction" and str(info.get("maxmemory", 0)) != "0":
        raise ConfigurationError(
            f"Redis evicts keys when it is full (maxmemory-policy {policy}), so bias windows would be lost"
            " silently: set maxmemory-policy noeviction"
        )
    version = str(info.get("redis_version", ""))
    if version.partition(".")[0] in OLD_REDIS:
        return (
            f"Redis {version} lacks SET with NX and GET, so workers do not remember what they judge and"
            " judge redelivered requests again: use Redis or Valkey 7 or newer"
        )
    return ""


def _check_group(client: KafkaAdminClient, group: str) -> list[str]:
    try:
        group_offsets(client, group)
    except GroupAuthorizationFailedError:
        return [f"this user may not read group {group}: grant READ on the group"]
    return []
