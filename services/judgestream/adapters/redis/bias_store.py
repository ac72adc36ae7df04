"""Counters of the bias windows, shared by all bias workers.

Every verdict is counted in one atomic step that first checks whether its id was counted before, so a
redelivered verdict or a second worker changes nothing. Of the verdicts with one id the best is counted:
scored before unscored before failed. The counts of the one that it replaces are taken back. A failed verdict
counts as `n` and `failed` only; what an unscored one counted is kept beside its id. Everything here can be
rebuilt from `judge.verdicts.v1`.

Keys, below the prefix: `counts:<release>|<start>|<end>` a hash of counters, `id:<verdict id>` where and how
an id was counted, `open` the windows still to be reported (scored by their end), `watermark`,
`report:<release>` the report of the newest window, `report_end:<release>` that window's end. Times are whole
milliseconds since 1970.

The only clock is Redis' own: the watermark never runs ahead of it, so that neither a producer's clock nor a
worker's can close windows that are still filling.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum

from judgestream.adapters.redis.batch import Batch
from judgestream.core.errors import StoreUnavailable
from judgestream.core.types import Status
from judgestream.evaluation.time_windows import EPOCH, TimeWindow

LATE, CHANGES = "late", "changes"
RESERVED = frozenset({LATE, CHANGES})
"""Fields of a window's hash that no probe may use as a count name."""

NOW = """
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local mark = math.min(tonumber(redis.call('GET', KEYS[1]) or '-1'), now)
"""
COUNT = (
    NOW
    + """
local id, open = KEYS[2], KEYS[3]
local prefix, member, ending, time = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local lateness, retention = tonumber(ARGV[5]), tonumber(ARGV[6])
local ahead, kind = tonumber(ARGV[7]), ARGV[8]
local counts = prefix .. member
if time > now + ahead then return 4 end
if mark - retention >= ending then return 2 end
local outcome = 1
local held = redis.call('GET', id)
if held then
  local rank = {f = 1, u = 2, s = 3}
  local was = held:sub(1, 1)
  if (rank[was] or 3) >= rank[kind] then return 0 end
  local before, counted = held:sub(2), 'n 1 failed 1'
  if was == 'u' then before, counted = held:match('^u(.*)\\n([^\\n]*)$') end
  if before and redis.call('EXISTS', prefix .. before) == 1 then
    for name, count in counted:gmatch('(%S+) (%d+)') do
      redis.call('HINCRBY', prefix .. before, name, -tonumber(count))
    end
    redis.call('HINCRBY', prefix .. before, 'changes', 1)
    redis.call('ZADD', open, tonumber(before:match('|(-?%d+)$')), before)
  end
  outcome = 5
end
local note = kind .. member
if kind == 'u' then note = note .. '\\n' .. table.concat(ARGV, ' ', 9) end
redis.call('SET', id, note, 'PX', retention)
for k = 9, #ARGV, 2 do redis.call('HINCRBY', counts, ARGV[k], ARGV[k + 1]) end
redis.call('HINCRBY', counts, 'changes', 1)
if mark - lateness >= ending then
  redis.call('HINCRBY', counts, 'late', 1)
  if outcome == 1 then outcome = 3 end
end
redis.call('PEXPIRE', counts, retention)
redis.call('ZADD', open, ending, member)
redis.call('SET', KEYS[1], math.max(mark, math.min(time, now)))
return outcome
"""
)
ADVANCE = NOW + "redis.call('SET', KEYS[1], now) return now"
"""Without new verdicts, event time is Redis' clock."""
KEEP = """
if tonumber(ARGV[2]) < tonumber(redis.call('GET', KEYS[2]) or '-1e18') then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[3])
redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
return 1
"""
CLOSE = """
local changes = redis.call('HGET', KEYS[1], 'changes') or redis.call('HGET', KEYS[1], 'n')
if changes == ARGV[2] then return redis.call('ZREM', KEYS[2], ARGV[1]) end
return 0
"""

_KINDS = {Status.FAILED: "f", Status.UNSCORED: "u", Status.SCORED: "s"}
"""The first letter of what is kept beside an id."""


class Counted(IntEnum):
    DUPLICATE = 0
    FRESH = 1
    EXPIRED = 2  # the window was dropped long ago
    LATE = 3  # fresh, after the window's final report
    AHEAD = 4  # its time lies ahead of the clock: not counted
    REPLACED = 5  # fresh, in place of a failed or unscored verdict of the same id


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenWindow:
    release: str
    window: TimeWindow
    counts: Mapping[str, int]
    late: int
    changes: int
    """Number of changes of the counts: the revision of the report."""


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
        window: TimeWindow,
        time_ms: int,
        counts: Mapping[str, int],
        status: Status = Status.SCORED,
        ahead: timedelta = timedelta(days=1),
    ) -> Counted:
        """Count one verdict once. Its `time_ms` moves the watermark, at most up to Redis' clock.

        Args:
            status: a verdict of a better status replaces this one's counts.
            ahead: how far its time may be in the future.
        """
        member = _member(release, window)
        increments = [str(part) for item in counts.items() if item[1] for part in item]
        answer = await self._batch.run(
            lambda p: p.evalsha(
                self._sha,
                3,
                f"{self._prefix}watermark",
                f"{self._prefix}id:{verdict_key}",
                f"{self._prefix}open",
                f"{self._prefix}counts:",
                member,
                str(_milliseconds(window.end - EPOCH)),
                str(time_ms),
                str(self._lateness_ms),
                str(self._retention_ms),
                str(_milliseconds(ahead)),
                _KINDS[status],
                *increments,
            )
        )
        return Counted(int(answer))

    async def lease(self, holder: str, seconds: float) -> bool:
        """Take or renew the lease on publishing reports. Returns whether this worker has it."""
        key, milliseconds = f"{self._prefix}publisher", int(seconds * 1000)
        if await self._batch.run(lambda p: p.set(key, holder, nx=True, px=milliseconds)):
            return True
        if await self._batch.run(lambda p: p.get(key)) != holder.encode():
            return False
        await self._batch.run(lambda p: p.pexpire(key, milliseconds))
        return True

    async def watermark_ms(self) -> int:
        """The watermark in milliseconds since 1970; -1 before the first verdict."""
        watermark = await self._batch.run(lambda p: p.get(f"{self._prefix}watermark"))
        return int(watermark) if watermark is not None else -1

    async def advance(self) -> None:
        """Move the watermark to Redis' clock, for a stream without new verdicts."""
        await self._batch.run(lambda p: p.eval(ADVANCE, 1, f"{self._prefix}watermark"))

    async def open_windows(self) -> list[OpenWindow]:
        """Every window with changes to report, oldest first."""
        members = await self._batch.run(lambda p: p.zrange(f"{self._prefix}open", 0, -1))
        windows: list[OpenWindow] = []
        for raw in members:
            member = raw.decode()
            fields = await self._fields(member)
            if not fields:  # expired
                await self._batch.run(lambda p, m=member: p.zrem(f"{self._prefix}open", m))  # type: ignore[misc]
                continue
            release, start, end = member.rsplit("|", 2)
            windows.append(
                OpenWindow(
                    release=release,
                    window=TimeWindow(start=_time(int(start)), end=_time(int(end))),
                    counts={k: v for k, v in fields.items() if k not in RESERVED},
                    late=fields.get(LATE, 0),
                    changes=fields.get(CHANGES, fields.get("n", 0)),
                )
            )
        return windows

    async def close_window(self, window: OpenWindow) -> None:
        """Forget a window whose final report is published, unless a late verdict has come meanwhile."""
        member = _member(window.release, window.window)
        counts, open_ = f"{self._prefix}counts:{member}", f"{self._prefix}open"
        await self._batch.run(
            lambda p: p.eval(CLOSE, 2, counts, open_, member, str(window.changes))
        )

    async def keep_report(self, release: str, window: TimeWindow, report_json: bytes) -> bool:
        """Store the report in Redis, unless one of a later window is there. Returns whether it did."""
        ending = str(_milliseconds(window.end - EPOCH))
        kept = await self._batch.run(
            lambda p: p.eval(
                KEEP,
                2,
                f"{self._prefix}report:{release}",
                f"{self._prefix}report_end:{release}",
                report_json,
                ending,
                self._retention_ms,
            )
        )
        return bool(kept)

    async def _fields(self, member: str) -> Mapping[str, int]:
        raw = await self._batch.run(lambda p: p.hgetall(f"{self._prefix}counts:{member}"))
        if not isinstance(raw, dict):
            raise StoreUnavailable(f"counts of {member} are {type(raw).__name__}, not a hash")
        return {key.decode(errors="replace"): int(value) for key, value in raw.items()}


def scripts() -> tuple[str, ...]:
    """The scripts that the batch of a bias store must load."""
    return (COUNT,)


def _member(release: str, window: TimeWindow) -> str:
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
