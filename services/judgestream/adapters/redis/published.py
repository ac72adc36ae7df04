"""Notes in Redis on requests: which release they were assigned to, and what was published of them.

Without Redis every request is judged. A redelivered one is then judged twice: both verdicts carry the same
id, unless the route of releases has changed between them.
"""

import logging
from time import monotonic

from judgestream.adapters.redis.batch import Batch
from judgestream.core.errors import StoreUnavailable

log = logging.getLogger(__name__)

LOG_INTERVAL_S = 30.0


class Published:
    """Notes, each remembered for `ttl_s` seconds. `batch` is None without a Redis."""

    def __init__(self, batch: Batch | None, *, prefix: str, ttl_s: int) -> None:
        self._batch = batch
        self._prefix = f"{prefix}:assigned:"
        self._ttl_s = ttl_s
        self._logged_at = -LOG_INTERVAL_S

    @property
    def available(self) -> bool | None:
        """Whether Redis answers; None without a Redis."""
        return None if self._batch is None else self._batch.available

    async def claim(self, key: str, note: str) -> str:
        """The note of a request. Where there is none, `note` becomes it, and "" is returned.

        Also "" if Redis does not answer. One command, so one round trip.
        """
        if self._batch is None:
            return ""
        name = self._prefix + key
        try:
            found = await self._batch.run(
                lambda p: p.set(name, note, nx=True, get=True, ex=self._ttl_s)
            )
        except StoreUnavailable as exc:
            self._log(exc)
            return ""
        return (found or b"").decode(errors="replace")

    async def write(self, key: str, note: str) -> None:
        """Replace the note of a request. Returns when Redis has it, or does not answer."""
        if self._batch is None:
            return
        try:
            await self._batch.run(lambda p: p.set(self._prefix + key, note, ex=self._ttl_s))
        except StoreUnavailable as exc:
            self._log(exc)

    def remember(self, key: str, note: str) -> None:
        """As `write`, but returns at once. A lost write means a duplicate verdict with the same id."""
        if self._batch is not None:
            self._batch.submit(lambda p: p.set(self._prefix + key, note, ex=self._ttl_s))

    async def close(self) -> None:
        if self._batch is not None:
            await self._batch.close()

    def _log(self, exc: StoreUnavailable) -> None:
        if monotonic() - self._logged_at >= LOG_INTERVAL_S:
            self._logged_at = monotonic()
            log.warning("%s: continuing without it; redelivered requests are judged again", exc)
