"""Writing lost entries of Redis again, beside workers that write the same entries."""

import hashlib
from collections.abc import Callable

from judgestream.adapters.redis.batch import Batch
from judgestream.adapters.redis.spending import BILLION, spending_key

SWAP = """
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
"""
RAISE = """
local day = tostring(math.floor(tonumber(redis.call('TIME')[1]) / 86400))
local held = redis.call('HGET', KEYS[1], 'day')
local today = held == day and tonumber(redis.call('HGET', KEYS[1], 'today') or '0') or 0
local total = tonumber(redis.call('HGET', KEYS[1], 'total') or '0')
if ARGV[1] == day then today = math.max(today, tonumber(ARGV[2])) end
total = math.max(total, tonumber(ARGV[3]))
redis.call('HSET', KEYS[1], 'day', day, 'today', string.format('%.0f', today))
redis.call('HSET', KEYS[1], 'total', string.format('%.0f', total))
return 1
"""
SCRIPTS = (SWAP, RAISE)

LARGEST = 4e18
"""Of an amount in billionths of a dollar. Workers add to it, and Redis refuses numbers beyond 2^63."""
TRIES = 20
"""A worker that writes the same entry at the same time makes a try void. It writes few entries a second."""


def _sha(script: str) -> str:
    return hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest()


async def swap(batch: Batch, key: str, change: Callable[[str], str], *, ttl_ms: int) -> bool:
    """Replace a text by `change` of it, "" if there is none. Returns whether it is another one now.

    Raises:
        StoreUnavailable: Redis does not answer.
    """
    for _ in range(TRIES):
        raw = await batch.run(lambda p: p.get(key))
        before = "" if raw is None else raw.decode(errors="replace")
        after = change(before)
        if after == before:
            return False
        if await batch.run(
            lambda p, old=raw or b"", new=after: p.evalsha(_sha(SWAP), 1, key, old, new, ttl_ms)  # type: ignore[misc]
        ):
            return True
    return False


def billionths(dollars: float) -> int:
    """The amount as Redis keeps it."""
    return round(min(dollars * BILLION, LARGEST))


async def raise_spending(
    batch: Batch, *, prefix: str, release: str, day: int, today: float, total: float
) -> None:
    """Raise the amounts spent on a release to at least these dollars; larger amounts stay.

    Args:
        day: that `today` is of, in days since 1970 (UTC); of another day than Redis' clock it does not count.
    """
    key = spending_key(prefix, release)
    amounts = (str(day), str(billionths(today)), str(billionths(total)))
    await batch.run(lambda p: p.evalsha(_sha(RAISE), 1, key, *amounts))
