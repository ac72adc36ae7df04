"""The work of the instance that leads: loops, which all end when it does not lead any more."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from judgestream.apps.rollout.automatic import Automatic
from judgestream.apps.rollout.healing import Healer
from judgestream.apps.rollout.preparing import Preparer
from judgestream.apps.rollout.tasks import Tasks
from judgestream.apps.rollout.unloading import Unloader
from judgestream.apps.worker import metrics
from judgestream.core.errors import JudgestreamError
from judgestream.core.rollout.state import Rollout, Stage

log = logging.getLogger(__name__)

CHECK_S = 0.5
HEAL_S = 1.0


class Leader:
    """`act` runs until cancelled.

    background   further loops by name, such as that of the evidence; each runs until cancelled
    """

    def __init__(
        self,
        preparer: Preparer,
        preparing: Tasks,
        unloader: Unloader,
        unloading: Tasks,
        automatic: Automatic,
        healer: Healer,
        state: Callable[[], Rollout],
        background: dict[str, Callable[[], Awaitable[None]]],
    ) -> None:
        self._preparer = preparer
        self._preparing = preparing
        self._unloader = unloader
        self._unloading = unloading
        self._automatic = automatic
        self._healer = healer
        self._state = state
        self._background = background

    @property
    def progress(self) -> dict[str, str]:
        """Release -> what is being done with it, or what it waits for."""
        return {
            **self._automatic.problems,
            **self._unloading.progress,
            **self._preparing.progress,
        }

    async def act(self) -> None:
        metrics.rollout_leads.set(1)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._every(CHECK_S, "automatic moves", self._automatic.check))
                group.create_task(self._every(CHECK_S, "preparing", self._reconcile))
                group.create_task(self._every(HEAL_S, "healing", self._healer.check))
                for name, loop in self._background.items():
                    group.create_task(self._guarded(name, loop))
        finally:
            metrics.rollout_leads.set(0)
            await self._healer.close()
            await self._preparing.close()
            await self._unloading.close()

    async def _reconcile(self) -> None:
        self._preparer.check()
        self._unloader.check()
        state = self._state()
        for stage in Stage:
            metrics.rollout_releases.labels(stage.value).set(len(state.at(stage)))

    async def _every(self, seconds: float, name: str, check: Callable[[], Awaitable[None]]) -> None:
        """Check again and again. An error is logged, and does not end the loop."""
        while True:
            try:
                await check()
            except JudgestreamError as exc:
                log.warning("%s: %s: %s", name, exc.code, exc)
            except Exception:
                metrics.background_failures.labels(name).inc()
                log.exception("unexpected error in %s", name)
            await asyncio.sleep(seconds)

    async def _guarded(self, name: str, loop: Callable[[], Awaitable[None]]) -> None:
        """Start the loop again where it ends with an error."""
        while True:
            try:
                await loop()
            except Exception:
                metrics.background_failures.labels(name).inc()
                log.exception("unexpected error in %s", name)
            await asyncio.sleep(1.0)
