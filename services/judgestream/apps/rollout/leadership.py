"""Leadership of one instance: the one that holds the lease and has begun a term on the topic.

The lease keeps two instances from working at the same time. The epoch on the topic makes it safe: whatever
an instance that lost its lease without noticing still writes does not count.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from time import monotonic
from typing import Protocol

from judgestream.adapters.redis.rollout_store import LEASE_S
from judgestream.core.errors import JudgestreamError, StoreUnavailable

log = logging.getLogger(__name__)

RENEW_S = 1.0
SAFE_S = LEASE_S - 3.0
"""An instance that could not renew its lease for this long stops acting: it ends soon."""

RETRY_S = 1.0


class Lease(Protocol):
    def hold(self, owner: str, *, instead_of: str = "") -> str: ...
    def release_lease(self, owner: str) -> None: ...


class Leadership:
    """Runs `act` while this instance leads, and cancels it at once when it does not any more.

    instance   owner of the lease
    is_dead    whether another owner is known to have ended, so that its lease need not run out
    begin      begins a term on the topic; raises JudgestreamError
    writing    whether the term still lasts
    end        ends the term
    act        the work of the leader; it runs until cancelled

    holder     who has the lease, "" while this is unknown
    leads      whether this instance acts
    problem    why this instance does not act; ""
    """

    def __init__(
        self,
        lease: Lease,
        *,
        instance: str,
        begin: Callable[[], Awaitable[None]],
        writing: Callable[[], bool],
        end: Callable[[], None],
        act: Callable[[], Coroutine[None, None, None]],
        is_dead: Callable[[str], bool] = lambda owner: False,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._lease = lease
        self._instance = instance
        self._begin = begin
        self._writing = writing
        self._end = end
        self._act = act
        self._is_dead = is_dead
        self._clock = clock
        self._acting: asyncio.Task[None] | None = None
        self._held_until = 0.0
        self.holder = ""
        self.problem = ""

    @property
    def leads(self) -> bool:
        return self._acting is not None and not self._acting.done() and self._holds

    @property
    def _holds(self) -> bool:
        return self._clock() < self._held_until

    async def run(self) -> None:
        """Take and keep the lease, and lead while it is held. Runs until cancelled."""
        keeping = asyncio.create_task(self._keep())
        try:
            while True:
                await self._step()
                await asyncio.sleep(min(RENEW_S, RETRY_S) / 4)
        finally:
            keeping.cancel()
            await self._stop_acting("this instance ends")
            with suppress(StoreUnavailable):
                await asyncio.to_thread(self._lease.release_lease, self._instance)

    async def _step(self) -> None:
        if self._acting is not None:
            if self._acting.done():
                await self._stop_acting("its work ended")
            elif not self._holds:
                await self._stop_acting("it lost its lease")
            elif not self._writing():
                await self._stop_acting("its term ended")
            return
        if not self._holds:
            return
        try:
            await self._begin()
        except JudgestreamError as exc:
            self.problem = f"{exc.code}: {exc}"
            log.warning("this instance cannot lead yet: %s", exc)
            await asyncio.sleep(RETRY_S)
            return
        self.problem = ""
        log.info("this instance leads the rollout")
        self._acting = asyncio.create_task(self._act())

    async def _stop_acting(self, why: str) -> None:
        acting, self._acting = self._acting, None
        self._end()
        if acting is None:
            return
        log.warning("this instance stops leading the rollout: %s", why)
        acting.cancel()
        with suppress(asyncio.CancelledError):
            try:
                await acting
            except Exception:
                log.exception("unexpected error while leading")
                self.problem = "an unexpected error, see the log"

    def _held_by(self) -> str:
        holder = self._lease.hold(self._instance)
        if holder != self._instance and self._is_dead(holder):
            holder = self._lease.hold(self._instance, instead_of=holder)
        return holder

    async def _keep(self) -> None:
        """Take or renew the lease about every second."""
        while True:
            began = self._clock()
            try:
                self.holder = await asyncio.to_thread(self._held_by)
                if self.holder == self._instance:
                    self._held_until = began + SAFE_S
                    self.problem = "" if self._acting else self.problem
                else:
                    self._held_until = 0.0
            except StoreUnavailable as exc:
                self.problem = f"{exc.code}: {exc}"
                if not self._holds:
                    self.holder = ""
            except Exception:
                log.exception("the lease could not be renewed")
            await asyncio.sleep(RENEW_S)
