"""A synchronous connection to Redis, for stores that send one command at a time."""

from collections.abc import Callable
from typing import Any, Self

from redis import Redis
from redis.exceptions import RedisError

from judgestream.adapters.redis.client import client
from judgestream.adapters.redis.failures import unavailable
from judgestream.settings import Redis as RedisSettings


class Connection:
    """Every method raises StoreUnavailable when Redis does not answer."""

    def __init__(self, redis: Redis, *, prefix: str) -> None:
        self._redis = redis
        self._prefix = prefix

    @classmethod
    def connect(cls, settings: RedisSettings) -> Self | None:
        """None when no Redis is set. Does not connect yet."""
        redis = client(settings)
        return None if redis is None else cls(redis, prefix=settings.prefix)

    def close(self) -> None:
        self._redis.close()

    def _call(self, command: Callable[[Redis], object]) -> Any:
        try:
            return command(self._redis)
        except (RedisError, OSError) as exc:
            raise unavailable(exc) from exc

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
