"""Faust without its two pauses: a second at every start, for tables, and a second at every stop.

Both would delay each restart of a worker, during which its partitions wait.
"""

import faust
from faust.tables import TableManager


class NoTables(TableManager):
    """Subscribes at once. Faust's own manager first waits a second for tables to register; there are none."""

    async def on_start(self) -> None:
        if not self.should_stop:
            await self._update_channels()
            await self.recovery.start()


class Worker(faust.Worker):
    """Closes its loop as soon as every task has ended; mode's own worker then sleeps for a second."""

    async def _sentinel_task(self) -> None:
        return
