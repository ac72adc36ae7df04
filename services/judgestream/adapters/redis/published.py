"""Redis' memory of the verdicts that were published, so that a redelivered request is not judged again.

Only a saving, never the truth: without Redis every request is judged, a redelivered one twice, and both
verdicts carry the same id.
"""

import logging
from time import monotonic

from judgestream.adapters.redis.batch import Batch
from judgestream.core.errors import StoreUnavailable

log = logging.getLogger(__name__)

SAY_EVERY_S = 30.0


class Published:
    """Verdict ids that were published, remembered for `ttl_s` seconds. `batch` is None without a Redis."""

    def __init__(self, batch: Batch | None, *, prefix: str, ttl_s: int) -> None:
        self._batch = batch
        self._prefix = f"{prefix}:published:"
        self._ttl_s = ttl_s
        self._said_at = -SAY_EVERY_S

    @property
    def available(self) -> bool:
        return self._batch is not None and self._batch.available

    async def note(self, verdict_id: str) -> str:
        """What was noted when this verdict was published; "" when Redis does not know or does not answer."""
        if self._batch is None:
            return ""
        try:
            found = await self._batch.run(lambda p: p.get(self._prefix + verdict_id))
        except StoreUnavailable as exc:
            self._say(exc)
            return ""
        return (found or b"").decode(errors="replace")

    def remember(self, verdict_id: str, note: str) -> None:
        """This verdict's delivery is confirmed. Returns at once; a write that fails is a duplicate later."""
        if self._batch is not None:
            self._batch.submit(lambda p: p.set(self._prefix + verdict_id, note, ex=self._ttl_s))

    async def close(self) -> None:
        if self._batch is not None:
            await self._batch.close()

    def _say(self, exc: StoreUnavailable) -> None:
        if monotonic() - self._said_at >= SAY_EVERY_S:
            self._said_at = monotonic()
            log.warning("%s: going on without it; redelivered requests are judged again", exc)
