"""State that instances of the rollout service share in Redis: the lease of one of them, and the times of each
release's reloads.

Keys: `{prefix}:rollout:lease` holds the owner and expires. `{prefix}:rollout:reloads:<release>` is a sorted
set of times, so that a new owner keeps to the pauses and the limit of the one before.
"""

from typing import Any

from redis import Redis

from judgestream.adapters.redis.connection import Connection

LEASE_S = 10.0

HOLD = """
local owner = redis.call('GET', KEYS[1])
if owner and owner ~= ARGV[1] and owner ~= ARGV[3] then return owner end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return ARGV[1]
"""

RELEASE = """
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
"""


class RolloutStore(Connection):
    """Synchronous. Every method raises StoreUnavailable when Redis does not answer."""

    def __init__(self, redis: Redis, *, prefix: str, lease_s: float = LEASE_S) -> None:
        super().__init__(redis, prefix=prefix)
        self._lease = f"{prefix}:rollout:lease"
        self._reloads = f"{prefix}:rollout:reloads"
        self._lease_s = lease_s

    def hold(self, owner: str, *, instead_of: str = "") -> str:
        """Take or renew the lease for this owner. Returns who has it now.

        Args:
            instead_of: an owner that is known to be dead.
        """
        held = self._call(
            lambda r: r.eval(HOLD, 1, self._lease, owner, int(self._lease_s * 1000), instead_of)
        )
        return held.decode(errors="replace") if isinstance(held, bytes) else str(held)

    def release_lease(self, owner: str) -> None:
        """Free the lease now, if this owner has it."""
        self._call(lambda r: r.eval(RELEASE, 1, self._lease, owner))

    def note_reload(self, release: str, *, at: float, window_s: float) -> None:
        """Record a reload. Call it first, so that a reload during which the service dies counts, too."""
        key = f"{self._reloads}:{release}"

        def write(redis: Redis) -> Any:
            pipeline = redis.pipeline()
            pipeline.zremrangebyscore(key, "-inf", at - window_s)
            pipeline.zadd(key, {f"{at:.6f}": at})
            pipeline.expire(key, int(window_s) + 1)
            return pipeline.execute()

        self._call(write)

    def reloads(self, release: str, *, since: float) -> list[float]:
        """Times of reloads since then, by any instance, oldest first. Seconds since 1970."""
        scored = self._call(
            lambda r: r.zrangebyscore(f"{self._reloads}:{release}", since, "+inf", withscores=True)
        )
        return [float(score) for _, score in scored]
