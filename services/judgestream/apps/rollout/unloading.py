"""Unloading releases that left traffic, after the grace time or when somebody asks for it."""

import asyncio
import logging
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from judgestream.adapters.releases.installed import installed
from judgestream.apps.rollout.desk import Desk
from judgestream.apps.rollout.preparing import BY, Fleet
from judgestream.apps.rollout.tasks import Say, Tasks
from judgestream.core.rollout.moves import IllegalMove, Move, needed_on_triton
from judgestream.core.rollout.state import Action, Placed, Rollout, Stage, Step

log = logging.getLogger(__name__)

ON_TRITON = (Step.LOADED, Step.READY)
OUT_OF_USE = (Stage.RETIRED, Stage.FAILED)

Users = Callable[[str, int], Collection[str]]
"""Workers that may still use a release which left traffic with this revision."""


class Unloader:
    """Call `check` about every second while this instance leads.

    A release is unloaded first, and then published as unloaded. Between the two the desk refuses every move
    that would send requests to it.

    users      raises StoreUnavailable
    grace_s    setting `rollout.grace_s`
    """

    def __init__(
        self,
        desk: Desk,
        tasks: Tasks,
        fleet: Fleet,
        users: Users,
        *,
        repository: Path,
        grace_s: float,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._desk = desk
        self._tasks = tasks
        self._fleet = fleet
        self._users = users
        self._repository = repository
        self._grace_s = grace_s
        self._now = now
        self._asked: dict[str, str] = {}

    def needed(self) -> tuple[str, ...]:
        """The releases that must be loaded now."""
        wanted = needed_on_triton(self._desk.state, now=self._now(), grace_s=self._grace_s)
        return tuple(name for name in wanted if name not in self._asked)

    def ask(self, release: str, *, by: str) -> None:
        """Unload a release that is out of use before its grace time ends.

        Raises:
            IllegalMove: it is not known, it is staged or in traffic, or it is not on Triton.
        """
        placed = self._desk.state.releases.get(release)
        if placed is None:
            raise IllegalMove(f"cannot unload {release}: it is not known")
        if placed.stage not in OUT_OF_USE:
            raise IllegalMove(
                f"cannot unload {release}: it is {placed.stage}. Promote another release, roll it back or"
                " retire it first"
            )
        if placed.step not in ON_TRITON:
            raise IllegalMove(f"cannot unload {release}: it is {placed.step}")
        self._asked[release] = by

    def check(self) -> None:
        """Start unloading what is not needed any more. Returns at once."""
        state = self._desk.state
        for name in list(self._asked):
            placed = state.releases.get(name)
            if placed is None or placed.stage not in OUT_OF_USE or placed.step not in ON_TRITON:
                del self._asked[name]
        due = {one.release: one for one in surplus(state, self.needed())}
        self._tasks.forget(keep=set(due))
        for release, placed in due.items():
            self._tasks.run(release, "unloading", partial(self._unload, placed))

    async def _unload(self, placed: Placed, say: Say) -> str:
        release = placed.release
        state = self._desk.state
        left = max((c.revision for c in state.changes if c.at <= placed.since), default=0)
        present = installed(self._repository)
        users = list(await asyncio.to_thread(self._users, release, left))
        for one in present:
            if release in one.members and await self._fleet.ready_on(one.name):
                users.append(f"the jury {one.name}")
        if users:
            return f"still used by {', '.join(users)}, so it is not unloaded yet"
        with self._desk.leaving(release):
            current = self._desk.state.releases.get(release)
            if current != placed or release in self.needed():
                return ""
            if await self._fleet.ready_on(release):
                say("unloading")
                models = next((one for one in present if one.name == release), None)
                names = (release,) if models is None or models.members else models.models
                await self._fleet.unload_everywhere(names)
                log.info("release %s is unloaded", release)
            await self._desk.move(
                Move(
                    action=Action.PREPARE,
                    release=release,
                    at=self._now(),
                    by=self._asked.get(release, BY),
                    step=Step.UNLOADED,
                )
            )
        return ""


def surplus(rollout: Rollout, needed: Collection[str]) -> list[Placed]:
    """The releases that are on Triton and not needed there."""
    return [
        one
        for one in rollout.releases.values()
        if one.step in ON_TRITON and one.release not in needed
    ]
