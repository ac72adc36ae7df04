"""State that controllers share in Redis: the lease of one of them, and the times of each release's reloads.

Keys: `{prefix}:controller:lease` holds the owner's token and expires. `{prefix}:controller:reloads:<release>`
is a sorted set of times, so that a new owner keeps to the pauses and the limit of the one before.
"""

from typing import Any
from uuid import uuid4

from redis import Redis

from judgestream.adapters.redis.connection import Connection

LEASE_S = 10.0

HOLD = """
local owner = redis.call('GET', KEYS[1])
if owner and owner ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""

RELEASE = """
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
"""


class ControllerStore(Connection):
    """Synchronous. Every method raises StoreUnavailable when Redis does not answer."""

    def __init__(self, redis: Redis, *, prefix: str, lease_s: float = LEASE_S) -> None:
        super().__init__(redis, prefix=prefix)
        self._lease = f"{prefix}:controller:lease"
        self._reloads = f"{prefix}:controller:reloads"
        self._lease_s = lease_s
        self._token = uuid4().hex

    def hold(self) -> bool:
        """Take or renew the lease. Returns whether this controller has it."""
        held = self._call(
            lambda r: r.eval(HOLD, 1, self._lease, self._token, int(self._lease_s * 1000))
        )
        return bool(int(held))

    def release_lease(self) -> None:
        """Free the lease now, if this controller has it."""
        self._call(lambda r: r.eval(RELEASE, 1, self._lease, self._token))

    def note_reload(self, release: str, *, at: float, window_s: float) -> None:
        """Record a reload. Call it first, so that a reload during which the controller dies counts, too."""
        key = f"{self._reloads}:{release}"

        def write(redis: Redis) -> Any:
            pipeline = redis.pipeline()
            pipeline.zremrangebyscore(key, "-inf", at - window_s)
            pipeline.zadd(key, {f"{at:.6f}": at})
            pipeline.expire(key, int(window_s) + 1)
            return pipeline.execute()

        self._call(write)

    def reloads(self, release: str, *, since: float) -> list[float]:
        """Times of reloads since then, by any controller, oldest first. Seconds since 1970."""
        scored = self._call(
            lambda r: r.zrangebyscore(f"{self._reloads}:{release}", since, "+inf", withscores=True)
        )
        return [float(score) for _, score in scored]
