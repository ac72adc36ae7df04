"""The check of Redis before a service starts: its login, its mode, whether it loses keys, and the rights."""

from collections.abc import Mapping

from redis import Redis
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError, ResponseError

from judgestream.adapters.redis.access import SERVICES, trial
from judgestream.adapters.redis.client import client
from judgestream.adapters.redis.failures import CLUSTER, RIGHTS, failure
from judgestream.core.errors import ConfigurationError, StoreUnavailable
from judgestream.settings import Redis as RedisSettings

REDIS_S = 5.0
OLD_REDIS = frozenset("3456")
"""Major versions without `SET key value NX GET`."""


def check_redis(settings: RedisSettings, *, service: str = "") -> str:
    """Check the server. Returns a warning of one line, or "".

    Args:
        service: check that the user has the rights of this service, a row of `access.ACCESS`.

    Raises:
        StoreUnavailable: Redis does not answer.
        ConfigurationError: the login, the certificates or the rights are wrong, or counts would be lost on
            this Redis.
    """
    try:
        redis = client(settings, timeout_s=REDIS_S)
        if redis is None:
            return ""
        with redis:
            redis.ping()
            try:
                warning = check_redis_info(dict(redis.info()))
            except NoPermissionError:
                warning = (
                    "INFO is refused, so the mode and the eviction policy of Redis are unknown"
                )
            if service:
                _check_rights(redis, settings, service)
            return warning
    except (RedisError, OSError) as exc:
        found = failure(exc)
        if found.lasting:
            raise ConfigurationError(found.text) from exc
        raise StoreUnavailable(found.text) from exc
    except ValueError as exc:
        # without the message, which quotes parts of the URL, and so perhaps the password
        raise StoreUnavailable(
            f"redis.url is invalid ({type(exc).__name__}): use redis://HOST:PORT/0"
        ) from None


def check_redis_info(info: Mapping[str, object]) -> str:
    """Check the answer to INFO. Returns and raises as `check_redis` does."""
    if str(info.get("cluster_enabled", 0)) == "1" or info.get("redis_mode") == "cluster":
        raise ConfigurationError(CLUSTER)
    policy = str(info.get("maxmemory_policy", "noeviction"))
    if policy != "noeviction" and str(info.get("maxmemory", 0)) != "0":
        raise ConfigurationError(
            f"Redis evicts keys when it is full (maxmemory-policy {policy}), so bias windows and spent"
            " amounts would be lost silently: set maxmemory-policy noeviction"
        )
    version = str(info.get("redis_version", ""))
    if version.partition(".")[0] in OLD_REDIS:
        return (
            f"Redis {version} lacks SET with NX and GET, so workers do not remember what they judge and"
            " judge redelivered requests again: use Redis or Valkey 7 or newer"
        )
    if str(info.get("aof_last_write_status", "ok")) != "ok":
        return "Redis cannot write its append-only file: free its disk, and see its log"
    if str(info.get("aof_enabled", 1)) == "0":
        return (
            "Redis keeps no append-only file, so a restart may lose bias windows and spent amounts: set"
            " appendonly yes"
        )
    return ""


def _check_rights(redis: Redis, settings: RedisSettings, service: str) -> None:
    """Queue every command in a transaction and discard it: rights are checked, nothing is executed.

    ACL DRYRUN would tell, too, but is a command for administrators.
    """
    with Redis(connection_pool=redis.connection_pool, single_connection_client=True) as one:
        link = one.connection

        def refused(*words: str) -> bool:
            link.send_command(*words)
            try:
                link.read_response()
            except NoPermissionError:
                return True
            except AuthenticationError:
                raise
            except ResponseError:
                pass  # another error is not about rights
            return False

        missing = ["+multi"] if refused("MULTI") else []
        if not missing:
            tried = trial(SERVICES[service], settings.prefix)
            missing = [right for right, words in tried if refused(*words)]
            if refused("DISCARD"):
                missing.append("+discard")
                link.disconnect()
    if missing:
        user = settings.username or "of redis.url"
        raise ConfigurationError(
            f"the Redis user {user} lacks rights of the {service} service: {' '.join(missing)}: {RIGHTS}"
        )
