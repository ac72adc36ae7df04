"""Preparing releases by reconciliation: each release that is needed and not ready is moved one step on.

Every step looks at what is there before it acts, so it can be repeated after a crash at any point.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Protocol

from judgestream.adapters.releases.installed import find, installed
from judgestream.adapters.releases.published_checkpoint import StoreAway
from judgestream.apps.rollout.desk import Desk
from judgestream.apps.rollout.installing import Device, install_release, memory_of
from judgestream.apps.rollout.tasks import Say, Tasks
from judgestream.apps.worker import metrics
from judgestream.core.errors import (
    ConfigurationError,
    JudgeBroken,
    JudgeError,
    JudgestreamError,
    JudgeUnhealthy,
    PoisonError,
    ReleaseError,
    ReleaseNotLoaded,
)
from judgestream.core.rollout.moves import IllegalMove, Move
from judgestream.core.rollout.state import IN_TRAFFIC, Action, Placed, Rollout, Stage, Step

log = logging.getLogger(__name__)

BY = "rollout service"

MOST_TRIES = 5
"""Of a step whose failure may be permanent without saying so."""

PERMANENT = (ConfigurationError, PoisonError, ReleaseError)
RETRIED = (ReleaseNotLoaded, JudgeUnhealthy, JudgeBroken, JudgeError)
"""Errors that may pass, and of which `MOST_TRIES` in a row count as permanent."""

MOST_STORE_TRIES = 60
"""Of a store that cannot be read: about an hour. A wrong login looks the same as an outage."""


class Fleet(Protocol):
    """The Triton servers, as `adapters.triton.fleet_control.FleetControl`."""

    async def load_everywhere(
        self, models: Sequence[str], *, least: int = 1, need: int = 0
    ) -> object: ...
    async def unload_everywhere(self, models: Sequence[str]) -> object: ...
    async def ready_on(self, release: str) -> tuple[str, ...]: ...
    async def enough(self, release: str, least: int) -> bool: ...


Smoke = Callable[[str, str, str], Awaitable[None]]
"""Judges a pair: address, release and the digest that it must have."""


class Preparer:
    """Call `check` about every second, and `close` when this instance stops leading."""

    def __init__(
        self,
        desk: Desk,
        tasks: Tasks,
        fleet: Fleet,
        smoke: Smoke,
        *,
        repository: Path,
        least_servers: int,
        device: Device = "cpu",
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._desk = desk
        self._tasks = tasks
        self._fleet = fleet
        self._smoke = smoke
        self._repository = repository
        self._least = least_servers
        self._device = device
        self._now = now
        self._loading = asyncio.Lock()
        self._next: dict[Step, tuple[str, Callable[[Placed, Say], Awaitable[Step]]]] = {
            Step.ANNOUNCED: ("installing", self._install),
            Step.INSTALLED: ("loading", self._load),
            Step.LOADED: ("testing", self._test),
        }

    def check(self) -> None:
        """Start the next step of every release that needs one. Returns at once."""
        wanted = {one.release: one for one in unprepared(self._desk.state)}
        self._tasks.forget(keep=set(wanted))
        for release, placed in wanted.items():
            name, step = self._next[placed.step]
            self._tasks.run(release, name, partial(self._take_step, placed, name, step))

    async def _take_step(
        self,
        placed: Placed,
        name: str,
        step: Callable[[Placed, Say], Awaitable[Step]],
        say: Say,
    ) -> str:
        try:
            reached = await step(placed, say)
        except JudgestreamError as exc:
            metrics.rollout_steps.labels(name, "failed").inc()
            if not self._is_permanent(placed.release, exc):
                raise
            await self._fail(placed, f"{name}: {exc}")
            return ""
        metrics.rollout_steps.labels(name, "done").inc()
        await self._desk.moved(lambda state: self._reached(state, placed, reached))
        return ""

    def _reached(self, state: Rollout, placed: Placed, step: Step) -> Move:
        self._require_unchanged(state, placed)
        return Move(action=Action.PREPARE, release=placed.release, at=self._now(), by=BY, step=step)

    async def _fail(self, placed: Placed, why: str) -> None:
        log.error("release %s failed: %s", placed.release, why)

        def failed(state: Rollout) -> Move:
            self._require_unchanged(state, placed)
            return Move(action=Action.FAIL, release=placed.release, at=self._now(), by=BY, why=why)

        await self._desk.moved(failed)

    def _require_unchanged(self, state: Rollout, placed: Placed) -> None:
        """Raise IllegalMove where the release was retired or staged again while a step was taken."""
        current = state.releases.get(placed.release)
        if current is None or current.stage is not placed.stage or current.step is not placed.step:
            raise IllegalMove(f"{placed.release} has changed meanwhile")

    def _is_permanent(self, release: str, error: JudgestreamError) -> bool:
        if isinstance(error, StoreAway):
            return self._tasks.failures(release) + 1 >= MOST_STORE_TRIES
        if isinstance(error, RETRIED):
            return self._tasks.failures(release) + 1 >= MOST_TRIES
        return isinstance(error, PERMANENT)

    async def _install(self, placed: Placed, say: Say) -> Step:
        loop = asyncio.get_running_loop()

        def tell(text: str) -> None:
            loop.call_soon_threadsafe(say, text)

        try:
            await asyncio.to_thread(install_release, placed, self._repository, tell, self._device)
        except ConfigurationError:
            here = await asyncio.to_thread(self._is_here, placed.release)
            if here or placed.location:
                raise
            # a Triton whose repository this machine does not see: what it serves is taken as it is
            if not await self._fleet.enough(placed.release, self._least):
                raise
        return Step.INSTALLED

    def _is_here(self, release: str) -> bool:
        return any(one.name == release for one in installed(self._repository))

    async def _load(self, placed: Placed, say: Say) -> Step:
        if not await self._fleet.enough(placed.release, self._least):
            release = await asyncio.to_thread(find, self._repository, placed.release)
            need = await asyncio.to_thread(memory_of, release, self._repository)
            say("waiting for another load")
            async with self._loading:  # so that each one sees the memory that is left
                say(f"loading it into Triton ({need >> 20} MiB of weights)")
                await self._fleet.load_everywhere(release.models, least=self._least, need=need)
        return Step.LOADED

    async def _test(self, placed: Placed, say: Say) -> Step:
        addresses = await self._fleet.ready_on(placed.release)
        if len(addresses) < self._least:
            raise ReleaseNotLoaded(
                f"{placed.release} is ready on {len(addresses)} Triton servers, and {self._least} must have"
                " it (rollout.least_servers)"
            )
        for address in addresses:
            say(f"judging a pair at {address}")
            await self._smoke(address, placed.release, placed.checkpoint_digest)
        return Step.READY


def unprepared(rollout: Rollout) -> list[Placed]:
    """The releases that are wanted and not ready yet."""
    wanted = rollout.at(Stage.STAGED, *IN_TRAFFIC)
    return [one for one in wanted if one.step not in (Step.READY, Step.UNLOADED)]
