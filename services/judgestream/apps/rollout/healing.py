"""Reloads of releases whose model processes have died, at every Triton.

Triton never restarts a model's process, and still reports the model as ready. So workers write to the board
that their release does not answer, or does not answer at one of their servers. The service then asks the
release itself, there. It also loads a release that is needed and that a Triton has not loaded: a new or
restarted server, or the state after the service was killed between the two steps. A draining server is left
alone.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Sequence

from judgestream.adapters.redis.worker_board import WorkerBoard, WorkerEntry, WorkerState
from judgestream.adapters.triton.fleet import Drains, no_drains
from judgestream.apps.rollout.server_healing import ServerHealer
from judgestream.apps.worker.status import WorkerStatus
from judgestream.core.errors import (
    JudgeBroken,
    JudgeError,
    JudgestreamError,
    JudgeUnhealthy,
    ReleaseNotLoaded,
    StoreUnavailable,
)

log = logging.getLogger(__name__)

CHECK_INTERVAL_S = 1.0
SLOW_S = 5.0
"""A check waits this long for a server. One that loads a large judge does not delay the others for longer."""

CURED_BY_LOADING = frozenset(
    error.code for error in (JudgeUnhealthy, JudgeBroken, ReleaseNotLoaded)
)
"""Error codes that a reload may cure. A worker's reason starts with its code."""

CURED_AT_ONE_SERVER = CURED_BY_LOADING | {JudgeError.code}
"""The same for one of several servers: workers ask the known good prompt only where no server answers."""

Addresses = Callable[[], Awaitable[Sequence[str]]]


class Healer:
    """Call `check` once per `CHECK_INTERVAL_S` while this instance leads, and `close` after that.

    addresses   of the servers now
    server      makes the healer of one server
    needed      gives the releases that must be loaded even if no worker says so
    unneeded    gives the releases that must not be loaded, whatever a worker says
    drains      gives the servers to leave alone
    """

    def __init__(
        self,
        *,
        board: WorkerBoard,
        addresses: Addresses,
        server: Callable[[str], ServerHealer],
        needed: Callable[[], Collection[str]],
        unneeded: Callable[[], Collection[str]] = frozenset,
        status: WorkerStatus,
        drains: Drains = no_drains,
    ) -> None:
        self._board = board
        self._addresses = addresses
        self._make = server
        self._needed = needed
        self._unneeded = unneeded
        self._status = status
        self._drains = drains
        self._healers: dict[str, ServerHealer] = {}
        self._running: dict[str, asyncio.Task[None]] = {}

    async def check(self) -> None:
        """Check once, and reload where needed. Raises nothing: problems go to the status and the log."""
        try:
            addresses = await self._addresses()
            for gone in self._healers.keys() - set(addresses) - self._running.keys():
                del self._healers[gone]
            draining = await self._drains()
            workers = await asyncio.to_thread(self._board.workers)
            self._start([one for one in addresses if one not in draining], workers)
            problems = await self._finished()
            if problems:
                self._status.waiting("; ".join(dict.fromkeys(problems)))
            else:
                self._status.working()
        except StoreUnavailable as exc:
            self._status.waiting(f"{exc}; until it does, no release is reloaded")
        except JudgestreamError as exc:
            self._status.waiting(f"{exc.code}: {exc}")

    async def close(self) -> None:
        """End the checks that are still running."""
        running = list(self._running.values())
        self._running.clear()
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def _start(self, addresses: Sequence[str], workers: Sequence[WorkerEntry]) -> None:
        """Start a check of every server whose former one has ended."""
        for address in addresses:
            if address in self._running:
                continue
            if address not in self._healers:
                self._healers[address] = self._make(address)
            check = self._healers[address].check(
                troubled(workers, address), self._needed(), self._unneeded()
            )
            self._running[address] = asyncio.create_task(check)

    async def _finished(self) -> list[str]:
        """Wait for the checks, at most `SLOW_S`. Returns the problems of those that have ended.

        Raises:
            StoreUnavailable: it became unavailable.
        """
        if self._running:
            await asyncio.wait(self._running.values(), timeout=SLOW_S)
        problems: list[str] = []
        for address, task in list(self._running.items()):
            if not task.done():
                continue
            del self._running[address]
            error = task.exception()
            if isinstance(error, StoreUnavailable):
                raise error
            if isinstance(error, JudgestreamError):
                problems.append(f"{error.code}: {error}")
            elif error is not None:
                log.error("unexpected error at Triton %s", address, exc_info=error)
                problems.append(f"{address}: {type(error).__name__}: {error}")
        return problems


def troubled(workers: Sequence[WorkerEntry], address: str) -> set[str]:
    """Releases that workers cannot use, anywhere or at this server, for a reason that loading may cure."""
    releases = {
        entry.release
        for entry in workers
        if entry.release
        and entry.state in (WorkerState.WAITING, WorkerState.PAUSED)
        and entry.reason.partition(":")[0] in CURED_BY_LOADING
    }
    releases.update(
        release
        for entry in workers
        for report in entry.servers
        if report.address == address
        for release, trouble in report.releases.items()
        if trouble.partition(":")[0]
        in (CURED_AT_ONE_SERVER if len(entry.servers) > 1 else CURED_BY_LOADING)
    )
    return releases


def used_by(workers: Sequence[WorkerEntry]) -> set[str]:
    """The releases that workers judge with or have open."""
    judging = {entry.release for entry in workers if entry.release}
    return judging | {name for one in workers for server in one.servers for name in server.releases}
