"""The memory of a release's alarms, for the bias workers, and the word of them to the judging workers.

Keys, below the prefix: `alarms:<release>` the state of its alarms, `doubted:<release>` while an alarm on its
position bias is raised.
"""

from datetime import timedelta

from judgestream.adapters.redis.batch import Batch


class AlarmStates:
    """Raises StoreUnavailable whenever Redis does not answer."""

    def __init__(self, batch: Batch, *, prefix: str, retention: timedelta) -> None:
        self._batch = batch
        self._base = f"{prefix}:bias:"
        self._retention_ms = retention // timedelta(milliseconds=1)

    async def state(self, release: str) -> str:
        """What was kept of the release's alarms; "" if nothing was."""
        kept = await self._batch.run(lambda p: p.get(f"{self._base}alarms:{release}"))
        return "" if kept is None else str(kept.decode(errors="replace"))

    async def keep(self, release: str, state: str, *, doubted: bool) -> None:
        """Keep the state, and whether an alarm on the release's position bias is raised."""
        retention = self._retention_ms
        await self._batch.run(lambda p: p.set(f"{self._base}alarms:{release}", state, px=retention))
        key = f"{self._base}doubted:{release}"
        if doubted:
            await self._batch.run(lambda p: p.set(key, "1", px=retention))
        else:
            await self._batch.run(lambda p: p.delete(key))


async def is_doubted(batch: Batch, *, prefix: str, release: str) -> bool:
    """Whether an alarm on the release's position bias is raised. Raises StoreUnavailable."""
    return bool(await batch.run(lambda p: p.exists(f"{prefix}:bias:doubted:{release}")))
