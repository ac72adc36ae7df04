"""Reloads at one Triton: of a release whose model process has died, and of one that is needed there.

A release is unloaded and loaded only if the known good prompt fails in the model, twice. Reloads of a release
at a server come at growing intervals and are limited, over all instances.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from typing import Protocol

from judgestream.adapters.redis.rollout_store import RolloutStore
from judgestream.adapters.releases.vllm import SUFFIX
from judgestream.adapters.triton.control import ModelState
from judgestream.apps.worker import metrics
from judgestream.apps.worker.status import WorkerStatus
from judgestream.core.backoff import Backoff
from judgestream.core.errors import (
    JudgeDeadlineExceeded,
    JudgeError,
    JudgestreamError,
    JudgeUnhealthy,
)

log = logging.getLogger(__name__)

CONFIRM_S = 1.0
"""Between the two failures of the known good prompt that a reload needs."""

UNLOAD_S = 3.0
"""Time-out of an unload. Requests inside a dead process never end, so the model stays in UNLOADING. Loading
it starts a new process all the same (measured with Triton 2.51)."""

STUCK_S = 15.0
"""A model that unloads for longer has requests that never end, and is loaded again."""

WINDOW_S = 3600.0
MAX_RELOADS = 10
"""Reloads of one release at one server in `WINDOW_S`. After that, somebody must read Triton's log."""

RELOAD_PAUSES = Backoff(first_s=5.0, longest_s=300.0)
"""Pauses between two reloads of one release at one server, by the number of its reloads in `WINDOW_S`."""

LOG_INTERVAL_S = 30.0
"""At most one line per release and problem in this time."""

Probe = Callable[[str], Awaitable[None]]
Members = Callable[[str], Awaitable[Sequence[str]]]


async def no_members(release: str) -> Sequence[str]:
    """Every release is a single one."""
    return ()


class Control(Protocol):
    async def load(self, name: str) -> None: ...
    async def unload(self, name: str, *, timeout_s: float) -> None: ...
    async def index(self) -> list[ModelState]: ...


class ServerHealer:
    """One server.

    probe       asks a release the known good prompt; raises as `TritonJudge` does
    members     the members of a jury that is loaded, () for a single release; raises as `TritonJudge` does
    """

    def __init__(
        self,
        address: str,
        *,
        store: RolloutStore,
        control: Control,
        probe: Probe,
        members: Members = no_members,
        status: WorkerStatus,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self.address = address
        self._store = store
        self._control = control
        self._probe = probe
        self._members = members
        self._status = status
        self._clock = clock
        self._sleep = sleep
        self._checks_missing: dict[str, int] = {}
        self._changing_since: dict[str, float] = {}
        self._logged_at: dict[str, float] = {}

    async def check(
        self, troubled: Collection[str], needed: Collection[str], unneeded: Collection[str]
    ) -> None:
        """Check once, and reload where needed.

        Args:
            troubled: releases that workers cannot use here for a reason that loading may cure.
            needed: releases that must be loaded even if no worker says so.
            unneeded: releases that must not be loaded, whatever a worker says.

        Raises:
            StoreUnavailable: the reloads so far are unknown, so none is made.
            JudgestreamError: the server does not answer.
        """
        models = {model.name: model for model in await self._control.index()}
        for release in await self._to_cure(models, troubled, needed, unneeded):
            await self._cure(release, models)

    async def _to_cure(
        self,
        models: dict[str, ModelState],
        troubled: Collection[str],
        needed: Collection[str],
        unneeded: Collection[str],
    ) -> list[str]:
        releases = set(troubled)
        for release in needed:
            # not at the first checks: a person, or a starting Triton, may be loading it
            ready = release in models and models[release].ready
            missing = 0 if ready else self._checks_missing.get(release, 0) + 1
            self._checks_missing[release] = missing
            if missing > 2:
                releases.add(release)
        releases -= set(unneeded)
        for release in sorted(releases):
            with suppress(
                JudgestreamError
            ):  # it is loaded first, and its members at the next check
                releases.update(await self._members(release))
        return sorted(releases)

    async def _cure(self, release: str, models: dict[str, ModelState]) -> None:
        model = models.get(release)
        if model is None:
            self._log(
                release,
                "is not in Triton's repository: install it, or use another release",
            )
            return
        if model.state in ("LOADING", "UNLOADING") and self._is_changing(release, model):
            return
        self._changing_since.pop(release, None)
        if model.ready and not await self._is_dead(release):
            return
        now = self._clock()
        reloads = await asyncio.to_thread(
            self._store.reloads, self._key(release), since=now - WINDOW_S
        )
        if len(reloads) >= MAX_RELOADS:
            self._log(
                release,
                f"was reloaded {len(reloads)} times in an hour and fails again, so it is not reloaded until"
                " that hour is over: see Triton's log, then run `judgestream release load`",
            )
            return
        if reloads and now < reloads[-1] + RELOAD_PAUSES(len(reloads)):
            return
        await self._reload(release, models, now)

    def _is_changing(self, release: str, model: ModelState) -> bool:
        """Whether the model is being loaded, or has been unloading for less than `STUCK_S`."""
        since = self._changing_since.setdefault(release, self._clock())
        return model.state == "LOADING" or self._clock() - since < STUCK_S

    async def _is_dead(self, release: str) -> bool:
        """Whether the model fails on the known good prompt twice. A reload does not cure other failures."""
        for again in (True, False):
            try:
                await self._probe(release)
                return False
            except (JudgeUnhealthy, JudgeError):
                if again:
                    await self._sleep(CONFIRM_S)
            except JudgestreamError:
                return False
        return True

    async def _reload(self, release: str, models: dict[str, ModelState], now: float) -> None:
        state = models[release].state or "never loaded"
        log.warning(
            "release %s does not answer at %s (%s on Triton): loading it again",
            release,
            self.address,
            state,
        )
        await asyncio.to_thread(
            self._store.note_reload, self._key(release), at=now, window_s=WINDOW_S
        )
        names = [name for name in (release + SUFFIX, release) if name in models]
        try:
            if models[release].ready:
                with suppress(JudgeDeadlineExceeded):
                    await self._control.unload(release, timeout_s=UNLOAD_S)
            for name in names:
                await self._control.load(name)
        except JudgestreamError as exc:
            metrics.reloads.labels("failed").inc()
            self._status.count("reloads_failed")
            log.error("release %s could not be loaded again: %s", release, exc)
        else:
            metrics.reloads.labels("done").inc()
            self._status.count("reloads")
            log.warning("release %s is loaded again at %s", release, self.address)

    def _key(self, release: str) -> str:
        return f"{release}@{self.address}"

    def _log(self, release: str, text: str) -> None:
        now = self._clock()
        if now - self._logged_at.get(release + text[:20], 0.0) >= LOG_INTERVAL_S:
            self._logged_at[release + text[:20]] = now
            log.error("release %s at %s %s", release, self.address, text)
