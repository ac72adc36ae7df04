"""Unloading releases that left traffic, after the grace time."""

import asyncio
import logging
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from judgestream.adapters.releases.installed import InstalledRelease, installed
from judgestream.apps.rollout.desk import Desk
from judgestream.apps.rollout.preparing import BY, Fleet
from judgestream.apps.rollout.tasks import Say, Tasks
from judgestream.core.rollout.moves import IllegalMove, Move, needed_on_triton
from judgestream.core.rollout.state import Action, Placed, Rollout, Step

log = logging.getLogger(__name__)

ON_TRITON = (Step.LOADED, Step.READY)


class Unloader:
    """Call `check` about every second while this instance leads.

    used       gives the releases that workers use, by the worker board; raises StoreUnavailable
    grace_s    setting `rollout.grace_s`
    """

    def __init__(
        self,
        desk: Desk,
        tasks: Tasks,
        fleet: Fleet,
        used: Callable[[], Collection[str]],
        *,
        repository: Path,
        grace_s: float,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._desk = desk
        self._tasks = tasks
        self._fleet = fleet
        self._used = used
        self._repository = repository
        self._grace_s = grace_s
        self._now = now
        self._done: set[str] = set()

    def needed(self) -> tuple[str, ...]:
        """The releases that must be loaded now."""
        return needed_on_triton(self._desk.state, now=self._now(), grace_s=self._grace_s)

    def check(self) -> None:
        """Start unloading what is not needed any more. Returns at once."""
        state = self._desk.state
        gone = {one.release: one for one in state.releases.values() if one.step is Step.UNLOADED}
        self._done &= gone.keys()
        due = {one.release: one for one in surplus(state, self.needed())}
        # a service that was killed may have left some of them loaded
        due |= {name: one for name, one in gone.items() if name not in self._done}
        self._tasks.forget(keep=set(due))
        for release, placed in due.items():
            self._tasks.run(release, "unloading", partial(self._unload, placed))

    async def _unload(self, placed: Placed, say: Say) -> str:
        release = placed.release
        present = installed(self._repository)
        used = await asyncio.to_thread(self._used)
        users = ["a worker uses it"] if release in used else []
        needed = self.needed()
        users += [
            f"jury {one.name} needs it"
            for one in present
            if release in one.members and (one.name in needed or await self._loaded(one))
        ]
        if users:
            return f"not unloaded yet: {', '.join(users)}"
        if placed.step is not Step.UNLOADED:
            await self._desk.moved(partial(self._unloaded, placed))
        if await self._loaded_by_name(release):
            say("unloading")
            models = next((one for one in present if one.name == release), None)
            names = (release,) if models is None or models.members else models.models
            await self._fleet.unload_everywhere(names)
            log.info("release %s is unloaded", release)
        self._done.add(release)
        return ""

    def _unloaded(self, placed: Placed, state: Rollout) -> Move:
        """The move, published before the unload: nothing may be sent back to a release that goes."""
        current = state.releases.get(placed.release)
        if current != placed or placed.release in self.needed():
            raise IllegalMove(f"{placed.release} has changed meanwhile")
        return Move(
            action=Action.PREPARE,
            release=placed.release,
            at=self._now(),
            by=BY,
            step=Step.UNLOADED,
        )

    async def _loaded(self, release: InstalledRelease) -> bool:
        return await self._loaded_by_name(release.name)

    async def _loaded_by_name(self, name: str) -> bool:
        return bool(await self._fleet.ready_on(name))


def surplus(rollout: Rollout, needed: Collection[str]) -> list[Placed]:
    """The releases that are on Triton and not needed there."""
    return [
        one
        for one in rollout.releases.values()
        if one.step in ON_TRITON and one.release not in needed
    ]
