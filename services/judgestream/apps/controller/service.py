"""The controller: the one process that loads a release again when its model process has died.

Triton never restarts a model's process, and says that all is ready. So workers report on their board that
their release does not answer; the controller that holds the lease asks the release itself, and only if the
known good prompt fails in the model, twice, it unloads and loads it. It also loads a release that workers
need and Triton has not loaded: that is what is left when a controller is killed between the two steps.
Reloads of a release come at growing intervals and are bounded, over all controllers.
"""

import asyncio
import logging
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from time import time
from typing import Protocol

from judgestream.adapters.redis.controller_store import LEASE_S, ControllerStore
from judgestream.adapters.redis.worker_board import WorkerBoard, WorkerState
from judgestream.adapters.releases.vllm import SUFFIX
from judgestream.adapters.triton.control import ModelState, TritonControl
from judgestream.adapters.triton.judge import TritonJudge
from judgestream.apps.worker import metrics
from judgestream.apps.worker.board_keeper import on_board
from judgestream.apps.worker.readiness import Ready, ignore_ready
from judgestream.apps.worker.status import WorkerStatus
from judgestream.core.errors import (
    ConfigurationError,
    JudgeBroken,
    JudgeDeadlineExceeded,
    JudgeError,
    JudgestreamError,
    JudgeUnhealthy,
    ReleaseNotLoaded,
    StoreUnavailable,
)
from judgestream.core.probe import known_good
from judgestream.core.templates import template
from judgestream.settings import Settings

log = logging.getLogger(__name__)

LOOK_S = 1.0
CONFIRM_S = 1.0
"""Between the two failures of the known good prompt that it takes."""

UNLOAD_S = 3.0
"""An unload is waited for so long. Requests inside a dead process never end, and keep the model unloading for
ever; loading it then brings a new process all the same (measured with Triton 2.51)."""

STUCK_S = 15.0
"""A model that unloads for longer has requests that never end: it is loaded again."""

WINDOW_S = 3600.0
MOST_RELOADS = 10
"""Reloads of one release in `WINDOW_S`; then somebody has to look at Triton's log."""

FIRST_PAUSE_S = 5.0
LONGEST_PAUSE_S = 300.0
"""Between two reloads of one release: doubles with every reload in `WINDOW_S`."""

NOTICE_S = 30.0

CURED_BY_LOADING = frozenset(
    error.code for error in (JudgeUnhealthy, JudgeBroken, ReleaseNotLoaded)
)
"""What workers report, as the first word of their reason, that a reload may cure."""

Smoke = Callable[[str], Awaitable[None]]


class Control(Protocol):
    async def load(self, name: str) -> None: ...
    async def unload(self, name: str, *, timeout_s: float) -> None: ...
    async def index(self) -> list[ModelState]: ...


class Controller:
    """`look` once a second.

    configured  the release that the settings name; loaded even if no worker asks for it; may be ""
    smoke       asks a release the known good prompt; raises as `TritonJudge` does
    """

    def __init__(
        self,
        *,
        store: ControllerStore,
        board: WorkerBoard,
        control: Control,
        smoke: Smoke,
        configured: str,
        status: WorkerStatus,
        clock: Callable[[], float] = time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._store = store
        self._board = board
        self._control = control
        self._smoke = smoke
        self._configured = configured
        self._status = status
        self._clock = clock
        self._sleep = sleep
        self._missing = 0
        self._unloading: dict[str, float] = {}
        self._told: dict[str, float] = {}

    async def look(self) -> None:
        """One look, and what follows from it. Nothing is raised: what is wrong is shown."""
        try:
            if not await asyncio.to_thread(self._store.hold):
                self._status.waiting("another controller holds the lease")
                return
            models = {model.name: model for model in await self._control.index()}
            for release in await self._troubled(models):
                await self._cure(release, models)
            self._status.working()
        except StoreUnavailable as exc:
            self._status.waiting(f"{exc}; no release is reloaded meanwhile")
        except JudgestreamError as exc:
            self._status.waiting(f"{exc.code}: {exc}")

    async def _troubled(self, models: dict[str, ModelState]) -> list[str]:
        """Releases that workers cannot use for a reason that loading may cure."""
        found = {
            entry.release
            for entry in await asyncio.to_thread(self._board.workers)
            if entry.release
            and entry.state in (WorkerState.WAITING, WorkerState.PAUSED)
            and entry.reason.partition(":")[0] in CURED_BY_LOADING
        }
        if self._configured:
            # not at the first look: it may be being loaded by hand, or by a Triton that starts
            ready = self._configured in models and models[self._configured].ready
            self._missing = 0 if ready else self._missing + 1
            if self._missing > 2:
                found.add(self._configured)
        return sorted(found)

    async def _cure(self, release: str, models: dict[str, ModelState]) -> None:
        model = models.get(release)
        if model is None:
            self._tell(release, "is not in Triton's repository: install it, or use another release")
            return
        if model.state in ("LOADING", "UNLOADING") and self._under_way(release, model):
            return
        self._unloading.pop(release, None)
        if model.ready and not await self._dead(release):
            return
        now = self._clock()
        reloads = await asyncio.to_thread(self._store.reloads, release, since=now - WINDOW_S)
        if len(reloads) >= MOST_RELOADS:
            self._tell(
                release,
                f"was reloaded {len(reloads)} times in an hour and fails again: not reloaded any more"
                " until that hour is over; see Triton's log, then `judgestream release load`",
            )
            return
        if reloads and now < reloads[-1] + _pause(len(reloads)):
            return
        await self._reload(release, models, now)

    def _under_way(self, release: str, model: ModelState) -> bool:
        """Whether somebody loads or unloads it: always while it loads, and for a while as it unloads."""
        since = self._unloading.setdefault(release, self._clock())
        return model.state == "LOADING" or self._clock() - since < STUCK_S

    async def _dead(self, release: str) -> bool:
        """Whether the model fails on a known good prompt, twice. Any other failure is not for us to cure."""
        for again in (True, False):
            try:
                await self._smoke(release)
                return False
            except (JudgeUnhealthy, JudgeError):
                if again:
                    await self._sleep(CONFIRM_S)
            except JudgestreamError:
                return False
        return True

    async def _reload(self, release: str, models: dict[str, ModelState], now: float) -> None:
        was = models[release].state or "never loaded"
        log.warning("release %s does not answer (%s on Triton): loading it again", release, was)
        await asyncio.to_thread(self._store.note_reload, release, at=now, window_s=WINDOW_S)
        names = [name for name in (release + SUFFIX, release) if name in models]
        holding = asyncio.create_task(self._keep_the_lease())
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
            log.warning("release %s is loaded again", release)
        finally:
            holding.cancel()
            with suppress(asyncio.CancelledError):
                await holding

    async def _keep_the_lease(self) -> None:
        """A large judge takes minutes to load."""
        while True:
            await asyncio.sleep(LEASE_S / 4)
            with suppress(StoreUnavailable):
                await asyncio.to_thread(self._store.hold)

    def _tell(self, release: str, text: str) -> None:
        now = self._clock()
        if now - self._told.get(release + text[:20], 0.0) >= NOTICE_S:
            self._told[release + text[:20]] = now
            log.error("release %s %s", release, text)


def _pause(reloads: int) -> float:
    return min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** (reloads - 1))


async def _run(settings: Settings, status: WorkerStatus, ready: Ready) -> None:
    store, board = ControllerStore.connect(settings.redis), WorkerBoard.connect(settings.redis)
    if store is None or board is None:
        raise ConfigurationError(
            "the controller needs Redis for its lease: set JUDGESTREAM_REDIS__URL, or do without"
            " a controller and reload a dead model yourself (`judgestream release load`)"
        )
    address, deadline_s = settings.triton.grpc, settings.judging.deadline_s

    async def smoke(release: str) -> None:
        judge = await TritonJudge.connect(address, release, deadline_s=deadline_s)
        try:
            await judge.ask(known_good(template(judge.release.template_id)))
        finally:
            await judge.close()

    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    async with TritonControl(address, settings.triton.control_key) as control:
        controller = Controller(
            store=store,
            board=board,
            control=control,
            smoke=smoke,
            configured=settings.triton.release,
            status=status,
        )
        log.info("controlling Triton at %s", address)
        with store, board:
            while not stopped.is_set():
                await controller.look()
                ready()
                with suppress(TimeoutError):
                    await asyncio.wait_for(stopped.wait(), LOOK_S)
            with suppress(StoreUnavailable):
                store.release_lease()


def main(settings: Settings, slot: int, ready: Ready = ignore_ready) -> int:
    """Run until SIGTERM or SIGINT. Returns the exit code.

    Raises:
        ConfigurationError: no Redis is set.
    """
    metrics.serve(settings.worker.metrics_host, settings.worker.metrics_port)
    status = WorkerStatus(kind="controller", slot=slot)
    status.release = settings.triton.release
    with on_board(settings.redis, status):
        asyncio.run(_run(settings, status, ready))
    return 0
