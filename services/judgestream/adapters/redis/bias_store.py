"""Counters of the bias windows, shared by all bias workers.

Every verdict is counted in one atomic step, by the rule of `evaluation.contribution`: the store remembers the
contribution of each verdict id, so that a redelivery changes nothing and a better verdict takes the place of
the one before. What is counted does not depend on the order of arrival. Everything here can be rebuilt from
`judge.verdicts.v1` (`judgestream bias rebuild`).

Keys, below the prefix:

    reached, seen       by partition: the largest event time, and when it last delivered a record
    watermark           see `evaluation.time_windows.watermark`
    revision            the last revision given; it grows with every change, also over a rebuild
    report:<release>, report_end:<release>   the report of the newest window, and that window's end
    generation          the generation of counts in use
    shapes              the counts of a single verdict -> a number, and back, to save memory
    <generation>:judged:<judgement>          by verdict id: its contribution
    <generation>:pane:<release>|<start>|<end>   by bucket of prompts: counts; `late`; `revision`
    <generation>:open   pane -> its revision, of those with changes to report

Windows are in whole seconds since 1970, other times in milliseconds. The watermark never passes Redis' own
clock: no other clock can close windows that are still filling.
"""

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum

from judgestream.adapters.redis.batch import Batch
from judgestream.core.errors import StoreUnavailable
from judgestream.evaluation.contribution import Contribution
from judgestream.evaluation.recount import ByPrompt
from judgestream.evaluation.time_windows import EPOCH, TimeWindow

NOW = """
local base = KEYS[1]
local clock = redis.call('TIME')
local micro = clock[1] * 1000000 + clock[2]
local now = math.floor(micro / 1000)
local mark = math.min(tonumber(redis.call('GET', base .. 'watermark') or '-1e18'), now)
"""
COUNT = (
    NOW
    + """
local generation, judgement, id, kind, finality = ARGV[1], ARGV[2], 'v' .. ARGV[3], ARGV[4], ARGV[5]
local place, release, partition, time = ARGV[6], ARGV[7], ARGV[8], tonumber(ARGV[9])
local lateness, retention, counts = tonumber(ARGV[10]), ARGV[11], ARGV[12]
if partition ~= '' then
  local reached = tonumber(redis.call('HGET', base .. 'reached', partition) or '-1e18')
  reached = math.max(reached, math.min(time, now))
  redis.call('HSET', base .. 'reached', partition, string.format('%.0f', reached))
  redis.call('HSET', base .. 'seen', partition, string.format('%.0f', now))
end
if generation == '' then generation = redis.call('GET', base .. 'generation') or '0' end
local prefix = base .. generation .. ':'
local judged, open = prefix .. 'judged:' .. judgement, prefix .. 'open'
local held = redis.call('HGET', judged, id)
if held and held:sub(1, #finality) >= finality then return 0 end

local shape = redis.call('HGET', base .. 'shapes', counts)
if not shape then
  shape = string.format('%.0f', redis.call('HLEN', base .. 'shapes') / 2)
  redis.call('HSET', base .. 'shapes', counts, shape, shape, counts)
end

local function add(note, sign)
  local bucket, start, length, known = note:match('^%d+ %a (%x+) (%-?%d+)%+(%d+) (%d+)$')
  local changes = redis.call('HGET', base .. 'shapes', known)
  local member = release .. '|' .. start .. '|' .. string.format('%.0f', start + length)
  local pane = prefix .. 'pane:' .. member
  local sums = {}
  for name, count in (redis.call('HGET', pane, 'p' .. bucket) or ''):gmatch('(%S+) (%-?%d+)') do
    sums[name] = tonumber(count)
  end
  for name, count in changes:gmatch('(%S+) (%d+)') do
    sums[name] = (sums[name] or 0) + sign * tonumber(count)
  end
  local kept = {}
  for name, count in pairs(sums) do
    if count ~= 0 then kept[#kept + 1] = name .. ' ' .. string.format('%.0f', count) end
  end
  if #kept == 0 then
    redis.call('HDEL', pane, 'p' .. bucket)
  else
    table.sort(kept)
    redis.call('HSET', pane, 'p' .. bucket, table.concat(kept, ' '))
  end
  local last = tonumber(redis.call('GET', base .. 'revision') or '0')
  local revision = string.format('%.0f', math.max(last + 1, micro))
  redis.call('SET', base .. 'revision', revision)
  redis.call('HSET', pane, 'revision', revision)
  redis.call('PEXPIRE', pane, retention)
  redis.call('HSET', open, member, revision)
  redis.call('PEXPIRE', open, retention)
  return pane
end

local settled = redis.call('HEXISTS', judged, 'settled') == 1
if held and held:sub(#finality + 2, #finality + 2) ~= 'x' then add(held, -1) end
if kind == 'u' and settled then kind = 'x' end
local note = finality .. ' ' .. kind .. ' ' .. place .. ' ' .. shape
redis.call('HSET', judged, id, note)
local outcome = held and 3 or 1
if kind == 'x' then
  outcome = 0
else
  local pane = add(note, 1)
  local start, length = place:match(' (%-?%d+)%+(%d+)$')
  if mark - lateness >= (start + length) * 1000 then
    redis.call('HINCRBY', pane, 'late', 1)
    if outcome == 1 then outcome = 2 end
  end
end
if kind == 's' and not settled then
  local notes = redis.call('HGETALL', judged)
  redis.call('HSET', judged, 'settled', 1)
  for k = 1, #notes, 2 do
    local other = notes[k + 1]
    if other:sub(#finality + 2, #finality + 2) == 'u' then
      add(other, -1)
      redis.call('HSET', judged, notes[k], other:sub(1, #finality + 1) .. 'x' .. other:sub(#finality + 3))
    end
  end
end
redis.call('PEXPIRE', judged, retention)
return outcome
"""
)
ADVANCE = (
    NOW
    + """
mark = math.max(mark, math.min(tonumber(ARGV[1]), now))
redis.call('SET', base .. 'watermark', string.format('%.0f', mark))
return string.format('%.0f', mark)
"""
)
PROGRESS = (
    NOW
    + """
return {
  string.format('%.0f', now), redis.call('HGETALL', base .. 'reached'), redis.call('HGETALL', base .. 'seen')
}
"""
)
KEEP = (
    NOW
    + """
local report, ending = base .. 'report:' .. ARGV[1], base .. 'report_end:' .. ARGV[1]
if tonumber(ARGV[3]) > now then return 0 end
if tonumber(ARGV[4]) < tonumber(redis.call('GET', ending) or '-1e18') then return 0 end
redis.call('SET', report, ARGV[2], 'PX', ARGV[5])
redis.call('SET', ending, ARGV[4], 'PX', ARGV[5])
return 1
"""
)
CLOSE = """
local open = KEYS[1] .. (redis.call('GET', KEYS[1] .. 'generation') or '0') .. ':open'
if redis.call('HGET', open, ARGV[1]) ~= ARGV[2] then return 0 end
return redis.call('HDEL', open, ARGV[1])
"""


class Counted(IntEnum):
    DUPLICATE = 0  # or a failure that a settled verdict of its request has replaced
    FRESH = 1
    LATE = 2  # fresh, after its window's final report
    REPLACED = 3  # in place of an earlier verdict of the same id


@dataclass(frozen=True, kw_only=True, slots=True)
class Pane:
    """One release in one pane of event time."""

    release: str
    window: TimeWindow

    @property
    def member(self) -> str:
        start, end = (_seconds(at - EPOCH) for at in (self.window.start, self.window.end))
        return f"{self.release}|{start}|{end}"


@dataclass(frozen=True, kw_only=True, slots=True)
class PaneCounts:
    """What a pane holds. `revision` grows with every change, over all panes."""

    by_prompt: ByPrompt
    late: int
    revision: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """How far the partitions have been read, by Redis' clock.

    reached   partition -> its largest event time
    seen      partition -> when it last delivered a record
    """

    now: datetime
    reached: Mapping[int, datetime]
    seen: Mapping[int, datetime]


class BiasStore:
    """Counters of panes by release. Raises StoreUnavailable whenever Redis does not answer."""

    def __init__(
        self,
        batch: Batch,
        *,
        prefix: str,
        lateness: timedelta,
        retention: timedelta,
        generation: str = "",
    ) -> None:
        """`generation`: counts into this one, instead of the one in use."""
        self._batch = batch
        self._base = f"{prefix}:bias:"
        self._lateness_ms = _milliseconds(lateness)
        self._retention_ms = _milliseconds(retention)
        self._generation = generation
        self._sha = hashlib.sha1(COUNT.encode(), usedforsecurity=False).hexdigest()

    async def count(
        self, one: Contribution, pane: TimeWindow, *, partition: int | None = None
    ) -> Counted:
        """Count one verdict once.

        Args:
            pane: the pane of its time, in whole seconds.
            partition: the one that delivered it; its progress is noted.
        """
        kind = "s" if one.settled else "u" if one.undecodable else "f"
        counts = " ".join(f"{name} {count}" for name, count in sorted(one.counts.items()))
        answer = await self._batch.run(
            lambda p: p.evalsha(
                self._sha,
                1,
                self._base,
                self._generation,
                one.judgement,
                one.verdict_id,
                kind,
                one.finality,
                f"{one.bucket} {_seconds(pane.start - EPOCH)}+{_seconds(pane.end - pane.start)}",
                one.release,
                "" if partition is None else str(partition),
                str(_milliseconds(one.time - EPOCH)),
                str(self._lateness_ms),
                str(self._retention_ms),
                counts,
            )
        )
        return Counted(int(answer))

    async def lease(self, holder: str, seconds: float) -> bool:
        """Take or renew the lease on publishing reports. Returns whether this worker has it."""
        key, milliseconds = f"{self._base}publisher", int(seconds * 1000)
        if await self._batch.run(lambda p: p.set(key, holder, nx=True, px=milliseconds)):
            return True
        if await self._batch.run(lambda p: p.get(key)) != holder.encode():
            return False
        await self._batch.run(lambda p: p.pexpire(key, milliseconds))
        return True

    async def progress(self) -> Progress:
        """How far the partitions have been read."""
        now, reached, seen = await self._batch.run(lambda p: p.eval(PROGRESS, 1, self._base))
        return Progress(
            now=_time(int(now)), reached=_by_partition(reached), seen=_by_partition(seen)
        )

    async def advance(self, watermark: datetime) -> datetime:
        """Move the watermark on, never back, and at most to Redis' clock. Returns where it is now."""
        at = str(_milliseconds(watermark - EPOCH))
        return _time(int(await self._batch.run(lambda p: p.eval(ADVANCE, 1, self._base, at))))

    async def open_panes(self) -> Mapping[Pane, int]:
        """The panes with changes to report, with their revisions."""
        found = await self._hash(f"{await self._prefix()}open")
        panes: dict[Pane, int] = {}
        for member, revision in found.items():
            with suppress(ValueError, OverflowError):  # not written by a worker
                panes[_pane(member)] = int(revision)
        return panes

    async def pane(self, pane: Pane) -> PaneCounts:
        """The counts of a pane; empty where nothing was counted.

        Raises:
            ValueError: the pane holds what no worker has written.
        """
        fields = await self._hash(f"{await self._prefix()}pane:{pane.member}")
        return PaneCounts(
            by_prompt={
                name[1:]: _counts(text)
                for name, text in sorted(fields.items())
                if name.startswith("p")
            },
            late=int(fields.get("late", 0)),
            revision=int(fields.get("revision", 0)),
        )

    async def close_pane(self, pane: Pane, revision: int) -> None:
        """Forget a pane whose final reports are published, unless it has changed since `revision`."""
        member, at = pane.member, str(revision)
        await self._batch.run(lambda p: p.eval(CLOSE, 1, self._base, member, at))

    async def keep_report(self, release: str, window: TimeWindow, report_json: bytes) -> bool:
        """Store the report in Redis, unless one of a later window is there or its window lies ahead of the
        clock. Returns whether it did."""
        start, end = (str(_milliseconds(at - EPOCH)) for at in (window.start, window.end))
        kept = await self._batch.run(
            lambda p: p.eval(
                KEEP, 1, self._base, release, report_json, start, end, self._retention_ms
            )
        )
        return bool(kept)

    async def new_generation(self) -> str:
        """A generation that nothing was counted into."""
        return str(await self._batch.run(lambda p: p.incr(f"{self._base}generations")))

    async def use_generation(self, generation: str) -> str:
        """Count into this generation from now on. Returns the one before."""
        before = await self._batch.run(lambda p: p.getset(f"{self._base}generation", generation))
        return "0" if before is None else str(before.decode())

    async def drop_generation(self, generation: str) -> None:
        """Delete what a generation that is not in use holds."""
        cursor, pattern = 0, f"{_literal(self._base)}{_literal(generation)}:*"
        while True:
            cursor, keys = await self._batch.run(
                lambda p, at=cursor: p.scan(at, match=pattern, count=1000)  # type: ignore[misc]
            )
            if keys:
                await self._batch.run(lambda p, gone=keys: p.unlink(*gone))  # type: ignore[misc]
            if not int(cursor):
                return

    async def _prefix(self) -> str:
        used = await self._batch.run(lambda p: p.get(f"{self._base}generation"))
        return f"{self._base}{'0' if used is None else used.decode()}:"

    async def _hash(self, key: str) -> Mapping[str, str]:
        raw = await self._batch.run(lambda p: p.hgetall(key))
        if not isinstance(raw, dict):
            raise StoreUnavailable(f"{key} is {type(raw).__name__}, not a hash")
        return {name.decode(errors="replace"): text.decode() for name, text in raw.items()}


def scripts() -> tuple[str, ...]:
    """The scripts that the batch of a bias store must load."""
    return (COUNT,)


def _pane(member: str) -> Pane:
    release, start, end = member.rsplit("|", 2)
    window = TimeWindow(
        start=EPOCH + timedelta(seconds=int(start)), end=EPOCH + timedelta(seconds=int(end))
    )
    return Pane(release=release, window=window)


def _counts(text: str) -> Mapping[str, int]:
    parts = text.split()
    return {name: int(count) for name, count in zip(parts[::2], parts[1::2], strict=True)}


def _by_partition(flat: list[bytes]) -> Mapping[int, datetime]:
    return {
        int(partition): _time(int(at)) for partition, at in zip(flat[::2], flat[1::2], strict=True)
    }


def _literal(text: str) -> str:
    """As a pattern of SCAN that matches itself."""
    return "".join(f"\\{letter}" if letter in "*?[]\\" else letter for letter in text)


def _seconds(span: timedelta) -> int:
    return span // timedelta(seconds=1)


def _milliseconds(span: timedelta) -> int:
    return span // timedelta(milliseconds=1)


def _time(milliseconds: int) -> datetime:
    return EPOCH + timedelta(milliseconds=milliseconds)
