"""Notes in Redis on published verdicts, so that a redelivered request is not judged again.

This only saves work. Without Redis every request is judged, a redelivered one twice, and both verdicts carry
the same id.
"""

import logging
from time import monotonic

from judgestream.adapters.redis.batch import Batch
from judgestream.core.errors import StoreUnavailable

log = logging.getLogger(__name__)

LOG_INTERVAL_S = 30.0


class Published:
    """Verdict ids that were published, remembered for `ttl_s` seconds. `batch` is None without a Redis."""

    def __init__(self, batch: Batch | None, *, prefix: str, ttl_s: int) -> None:
        self._batch = batch
        self._prefix = f"{prefix}:published:"
        self._ttl_s = ttl_s
        self._logged_at = -LOG_INTERVAL_S

    @property
    def available(self) -> bool:
        return self._batch is not None and self._batch.available

    async def note(self, verdict_id: str) -> str:
        """The note on a published verdict. "" when there is none, or Redis does not answer."""
        if self._batch is None:
            return ""
        try:
            note = await self._batch.run(lambda p: p.get(self._prefix + verdict_id))
        except StoreUnavailable as exc:
            self._log(exc)
            return ""
        return (note or b"").decode(errors="replace")

    def remember(self, verdict_id: str, note: str) -> None:
        """Note a verdict whose delivery is confirmed. Returns at once; a lost write means a duplicate."""
        if self._batch is not None:
            self._batch.submit(lambda p: p.set(self._prefix + verdict_id, note, ex=self._ttl_s))

    async def close(self) -> None:
        if self._batch is not None:
            await self._batch.close()

    def _log(self, exc: StoreUnavailable) -> None:
        if monotonic() - self._logged_at >= LOG_INTERVAL_S:
            self._logged_at = monotonic()
            log.warning("%s: continuing without it; redelivered requests are judged again", exc)
