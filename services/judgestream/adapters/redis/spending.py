"""The amounts spent on each release, shared by all workers.

Key: `{prefix}:spending:<release>`, a hash of `day` (days since 1970, UTC, by Redis' own clock), `today` and
`total` in billionths of a dollar. One script adds to both and starts a new day, so no two workers overwrite
each other's amounts, and a restart of a worker or of a Redis that keeps its data forgets nothing.

While Redis is away, a worker continues with the amounts that it read last and what it has spent since, and
adds that when Redis is back. So each worker may spend what was left when Redis went away, but not more. An
amount whose addition was not confirmed is added again: it may count twice, but is never lost while the worker
runs.
"""

import asyncio
import hashlib
import logging
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from typing import Any

from judgestream.adapters.redis.batch import AWAY_S, Batch
from judgestream.adapters.redis.connection import Connection
from judgestream.core.costs import Spent, dollars
from judgestream.core.errors import StoreUnavailable

log = logging.getLogger(__name__)

BILLION = 1_000_000_000
DAY = 86_400
"""Seconds."""

ADD = """
local seconds = tonumber(redis.call('TIME')[1])
local day = tostring(math.floor(seconds / 86400))
if redis.call('HGET', KEYS[1], 'day') ~= day then
  redis.call('HSET', KEYS[1], 'day', day, 'today', 0)
end
local today = redis.call('HINCRBY', KEYS[1], 'today', ARGV[1])
local total = redis.call('HINCRBY', KEYS[1], 'total', ARGV[1])
return {seconds, today, total}
"""
_SHA = hashlib.sha1(ADD.encode(), usedforsecurity=False).hexdigest()


def spending_key(prefix: str, release: str) -> str:
    return f"{prefix}:spending:{release}"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Amounts:
    """The shared amounts as last read, in billionths of a dollar.

    seconds   Redis' clock at that time, since 1970
    read_at   `monotonic` at that time
    """

    seconds: int
    read_at: float
    today: int
    total: int

    @property
    def same_day(self) -> bool:
        """Whether it is still the day of `today`, by Redis' clock."""
        return int(self.seconds + monotonic() - self.read_at) // DAY == self.seconds // DAY


class Spending:
    """The amounts as one worker sees them. `batch` has the script `ADD`; it is None without a Redis."""

    def __init__(self, batch: Batch | None, *, prefix: str) -> None:
        self._batch = batch
        self._prefix = prefix
        self._shared: dict[str, _Amounts] = {}
        self._unsaved: Counter[str] = Counter()
        self._retrying: asyncio.Task[None] | None = None

    async def spent(self, release: str) -> Spent:
        """The dollars spent by all workers.

        Raises:
            StoreUnavailable: Redis does not answer and has not answered since this worker started, so what
                was spent before is unknown.
        """
        try:
            await self._save(release)
        except StoreUnavailable:
            if release not in self._shared:
                raise
        return self._known(release)

    async def add(self, release: str, cost: float) -> Spent:
        """Add dollars to the amounts. Without Redis they are kept, and added as soon as Redis is back."""
        self._unsaved[release] += round(cost * BILLION)
        try:
            await self._save(release)
        except StoreUnavailable:
            if self._retrying is None and self._batch is not None:
                self._retrying = asyncio.create_task(self._retry())
        return self._known(release)

    def known(self, release: str) -> Spent | None:
        """As `spent`, without a question to Redis: as of the latest one. None before the first."""
        return self._known(release) if release in self._shared else None

    async def close(self) -> None:
        """Call before the batch is closed: adds what is not saved yet, and logs it where that fails."""
        if self._retrying is not None:
            self._retrying.cancel()
        for release, amount in list(self._unsaved.items()):
            try:
                if amount and self._batch is not None:
                    await self._save(release)
            except StoreUnavailable as exc:
                log.error(
                    "%s spent on release %s are not counted: %s",
                    dollars(amount / BILLION),
                    release,
                    exc,
                )

    async def _retry(self) -> None:
        while any(self._unsaved.values()):
            await asyncio.sleep(AWAY_S)
            for release in list(self._unsaved):
                with suppress(StoreUnavailable):
                    await self._save(release)
        self._retrying = None

    async def _save(self, release: str) -> None:
        if self._batch is None:
            raise StoreUnavailable(
                f"what is spent on release {release} is counted in Redis: set JUDGESTREAM_REDIS__URL"
            )
        amount, self._unsaved[release] = self._unsaved[release], 0
        key = spending_key(self._prefix, release)
        try:
            answer = await self._batch.run(lambda p: p.evalsha(_SHA, 1, key, str(amount)))
        except BaseException:
            self._unsaved[release] += amount
            raise
        seconds, today, total = map(int, answer)
        self._shared[release] = _Amounts(
            seconds=seconds, read_at=monotonic(), today=today, total=total
        )

    def _known(self, release: str) -> Spent:
        own, shared = self._unsaved[release], self._shared.get(release)
        if shared is None:
            return _spent(own, own)
        today = shared.today if shared.same_day else 0
        return _spent(today + own, shared.total + own)


class SpendingView(Connection):
    """Reads the amounts, for `status`. Raises StoreUnavailable when Redis does not answer."""

    def spent(self, release: str) -> Spent:
        """The dollars spent by all workers; zeros where nothing is known, or the amounts were spoilt."""
        key = spending_key(self._prefix, release)
        fields: Sequence[Any] = self._call(lambda r: r.hmget(key, ["day", "today", "total"]))
        seconds, _ = self._call(lambda r: r.time())
        try:
            day, today, total = (int(field or 0) for field in fields)
        except ValueError:
            return Spent()
        return _spent(today if day == int(seconds) // DAY else 0, total)


def _spent(today: int, total: int) -> Spent:
    return Spent(today=today / BILLION, total=total / BILLION)
