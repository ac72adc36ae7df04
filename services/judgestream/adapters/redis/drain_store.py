"""Marks of Triton servers to drain, in Redis, for every process that asks them.

Key: `{prefix}:triton:draining` is a hash of address -> ISO time of the mark. A mark stays until it is
removed.
"""

from datetime import UTC, datetime

from judgestream.adapters.redis.connection import Connection

MAX_MARKS = 1000
"""Anybody may write to Redis; more marks than this are ignored."""


class DrainStore(Connection):
    """Synchronous. Every method raises StoreUnavailable when Redis does not answer."""

    @property
    def _marks(self) -> str:
        return f"{self._prefix}:triton:draining"

    def drain(self, address: str) -> None:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        self._call(lambda r: r.hsetnx(self._marks, address, now))

    def undrain(self, address: str) -> bool:
        """Remove the mark. Returns whether there was one."""
        return bool(self._call(lambda r: r.hdel(self._marks, address)))

    def draining(self) -> frozenset[str]:
        """The marked addresses."""
        raw = self._call(lambda r: r.hkeys(self._marks))
        texts = (
            one.decode(errors="replace") if isinstance(one, bytes) else str(one) for one in raw
        )
        return frozenset(sorted(texts)[:MAX_MARKS])
