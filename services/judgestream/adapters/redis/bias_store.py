"""The bias windows' counters, shared by all bias workers.

Every verdict is counted in one atomic step that first asks whether its id was counted before: a redelivered
verdict, or a second worker, changes nothing. Everything here can be rebuilt from `judge.verdicts.v1`.

Keys, below the prefix: `counts:<release>|<start>|<end>` a hash of counters, `seen:...` the ids counted there,
`open` the windows still to be reported (scored by their end), `watermark`, `report:<release>` the newest
report. Times are whole milliseconds since 1970.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum

from judgestream.adapters.redis.batch import Batch
from judgestream.core.bias.counts import BiasCounts
from judgestream.core.bias.windows import EPOCH, Window
from judgestream.core.errors import StoreUnavailable

LATE = "late"

COUNT = """
local seen, counts, open, watermark = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local id, member, ending, time = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local lateness, retention = tonumber(ARGV[5]), tonumber(ARGV[6])
local mark = tonumber(redis.call('GET', watermark) or '-1')
if mark - retention >= ending then return 2 end
if redis.call('SADD', seen, id) == 0 then return 0 end
for k = 7, #ARGV, 2 do redis.call('HINCRBY', counts, ARGV[k], ARGV[k + 1]) end
if mark - lateness >= ending then redis.call('HINCRBY', counts, 'late', 1) end
redis.call('PEXPIRE', seen, retention)
redis.call('PEXPIRE', counts, retention)
redis.call('ZADD', open, ending, member)
if time > mark then redis.call('SET', watermark, time) end
return 1
"""
CLOSE = """
if redis.call('HGET', KEYS[1], 'n') == ARGV[2] then return redis.call('ZREM', KEYS[2], ARGV[1]) end
return 0
"""


class Counted(IntEnum):
    DUPLICATE = 0
    FRESH = 1
    EXPIRED = 2  # the window was dropped long ago


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenWindow:
    release: str
    window: Window
    counts: BiasCounts
    late: int


class BiasStore:
    """Counters of windows by release. Raises StoreUnavailable whenever Redis does not answer."""

    def __init__(
        self, batch: Batch, *, prefix: str, lateness: timedelta, retention: timedelta
    ) -> None:
        self._batch = batch
        self._prefix = f"{prefix}:bias:"
        self._lateness_ms = _milliseconds(lateness)
        self._retention_ms = _milliseconds(retention)
        self._sha = hashlib.sha1(COUNT.encode(), usedforsecurity=False).hexdigest()

    async def count(
        self,
        *,
        verdict_key: str,
        release: str,
        window: Window,
        time_ms: int,
        counts: BiasCounts,
    ) -> Counted:
        """Count one verdict once. `time_ms` moves the watermark; -1 leaves it."""
        member = _member(release, window)
        increments = [str(part) for item in counts.as_mapping().items() if item[1] for part in item]
        answer = await self._batch.run(
            lambda p: p.evalsha(
                self._sha,
                4,
                f"{self._prefix}seen:{member}",
                f"{self._prefix}counts:{member}",
                f"{self._prefix}open",
                f"{self._prefix}watermark",
                verdict_key,
                member,
                str(_milliseconds(window.end - EPOCH)),
                str(time_ms),
                str(self._lateness_ms),
                str(self._retention_ms),
                *increments,
            )
        )
        return Counted(int(answer))

    async def lease(self, holder: str, seconds: float) -> bool:
        """Whether this worker may publish reports now; one does at a time."""
        key, milliseconds = f"{self._prefix}publisher", int(seconds * 1000)
        if await self._batch.run(lambda p: p.set(key, holder, nx=True, px=milliseconds)):
            return True
        if await self._batch.run(lambda p: p.get(key)) != holder.encode():
            return False
        await self._batch.run(lambda p: p.pexpire(key, milliseconds))
        return True

    async def watermark_ms(self) -> int:
        """How far event time has come; -1 before the first verdict."""
        found = await self._batch.run(lambda p: p.get(f"{self._prefix}watermark"))
        return int(found) if found is not None else -1

    async def advance(self, time_ms: int) -> None:
        """Move the watermark on while no verdicts come. It never goes back by more than a lost race."""
        if time_ms > await self.watermark_ms():
            await self._batch.run(lambda p: p.set(f"{self._prefix}watermark", time_ms))

    async def open_windows(self) -> list[OpenWindow]:
        """Every window with something to report, oldest first."""
        members = await self._batch.run(lambda p: p.zrange(f"{self._prefix}open", 0, -1))
        found: list[OpenWindow] = []
        for raw in members:
            member = raw.decode()
            fields = await self._fields(member)
            if not fields:  # expired
                await self._batch.run(lambda p, m=member: p.zrem(f"{self._prefix}open", m))  # type: ignore[misc]
                continue
            release, start, end = member.rsplit("|", 2)
            found.append(
                OpenWindow(
                    release=release,
                    window=Window(start=_time(int(start)), end=_time(int(end))),
                    counts=BiasCounts.from_mapping(fields),
                    late=fields.get(LATE, 0),
                )
            )
        return found

    async def close_window(self, window: OpenWindow) -> None:
        """The final report is out: forget the window, unless a late verdict has come meanwhile."""
        member = _member(window.release, window.window)
        counts, open_ = f"{self._prefix}counts:{member}", f"{self._prefix}open"
        await self._batch.run(
            lambda p: p.eval(CLOSE, 2, counts, open_, member, str(window.counts.n))
        )

    async def keep_report(self, release: str, report_json: bytes) -> None:
        """The newest report of a release, for whoever asks Redis."""
        key = f"{self._prefix}report:{release}"
        await self._batch.run(lambda p: p.set(key, report_json, px=self._retention_ms))

    async def _fields(self, member: str) -> Mapping[str, int]:
        raw = await self._batch.run(lambda p: p.hgetall(f"{self._prefix}counts:{member}"))
        if not isinstance(raw, dict):
            raise StoreUnavailable(f"counts of {member} are {type(raw).__name__}, not a hash")
        return {key.decode(): int(value) for key, value in raw.items()}


def scripts() -> tuple[str, ...]:
    """What the batch of a bias store must load."""
    return (COUNT,)


def _member(release: str, window: Window) -> str:
    return "|".join(
        [
            release,
            str(_milliseconds(window.start - EPOCH)),
            str(_milliseconds(window.end - EPOCH)),
        ]
    )


def _milliseconds(span: timedelta) -> int:
    return span // timedelta(milliseconds=1)


def _time(milliseconds: int) -> datetime:
    return EPOCH + timedelta(milliseconds=milliseconds)
