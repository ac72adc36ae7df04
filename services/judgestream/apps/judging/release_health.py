"""Whether a worker's release answers, and what the worker shows of it.

While the release answers, the gate is open. A `ReleaseError` closes it: requests wait at the gate, unjudged
and uncommitted, and one of them asks a known good prompt now and then; the first answer opens it again.
Everything that fails is visible: in the log, in the metrics, and in the worker's state on the board.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from math import inf
from time import monotonic

from judgestream.apps.worker import metrics
from judgestream.apps.worker.status import WorkerStatus
from judgestream.core.errors import (
    JudgeBroken,
    JudgestreamError,
    JudgeUnhealthy,
    ReleaseError,
    ReleaseNotLoaded,
)

log = logging.getLogger(__name__)

Pause = Callable[[float], Awaitable[None]]
Probe = Callable[[], Awaitable[None]]

FIRST_PROBE_S = 1.0
LONGEST_PROBE_S = 60.0
"""Between two probes of a paused release; the time doubles from the first to the longest."""

LONGEST_LOCAL_PROBE_S = 5.0
"""The same where the probe costs nobody anything, and the controller is about to act."""

LOOK_S = 0.5
"""How long a request waits at the gate before it looks again."""

NOTICE_S = 30.0
"""One line per cause in this time, however often it happens."""

SILENT_S = 2.0
"""Failures are the worker's state, and not only some requests', when there was no answer for so long."""


class ReleaseHealth:
    """Shared by all requests of one worker.

    probe  asks the known good prompt; raises what the judge's `ask` raises
    clock  seconds; all times here are its own
    breakdowns  how often the known good prompt failed in the model, too
    """

    def __init__(
        self,
        status: WorkerStatus,
        probe: Probe,
        *,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.breakdowns = 0
        self._status = status
        self._probe = probe
        self.clock = clock
        self._answered_at = -inf
        self._closed: ReleaseError | None = None
        self._closed_at = 0.0
        self._proving = asyncio.Lock()
        self._good_since = self._bad_since = -inf
        self._probe_at = 0.0
        self._probe_pause = FIRST_PROBE_S
        self._shown = ""
        self._told: dict[str, float] = {}
        self._untold: Counter[str] = Counter()

    @property
    def paused(self) -> bool:
        return self._closed is not None

    async def enter(self, pause: Pause) -> float:
        """Wait until the gate is open. Returns the seconds that this took.

        Raises:
            whatever `pause` raises: the record is abandoned and will come again.
        """
        came = self.clock()
        while self._closed is not None:
            now = self.clock()
            if now >= self._probe_at and not self._proving.locked():
                await self.prove()
            if self._closed is not None:
                await pause(LOOK_S)
        return self.clock() - came

    async def prove(self) -> bool:
        """Ask the known good prompt; whether it was answered. What it meets is told like any failure.

        Of many that want to know at once, one asks; an answer to anything asked after the call will do.
        """
        came = self.clock()
        async with self._proving:
            if self._good_since >= came or self._bad_since >= came:
                return self._good_since >= self._bad_since
            asked_at = self.clock()
            try:
                await self._probe()
            except JudgestreamError as exc:
                self._bad_since = asked_at
                local = isinstance(exc, JudgeUnhealthy | ReleaseNotLoaded)
                longest = LONGEST_LOCAL_PROBE_S if local else LONGEST_PROBE_S
                self.failed(exc)
                self._probe_at = self.clock() + self._probe_pause
                self._probe_pause = min(longest, self._probe_pause * 2)
                return False
            self.answered(asked_at)
            return True

    def answered(self, asked_at: float) -> None:
        """A prompt that was asked at this time was answered."""
        self._answered_at = self.clock()
        self._good_since = max(self._good_since, asked_at)
        if self._closed is not None:
            if asked_at < self._closed_at:
                return  # asked before the trouble began, so it says nothing about now
            metrics.release_paused.labels(self._closed.code).set(0)
            self._closed = None
        if self._shown:
            self._shown = ""
            self._status.working()

    def failed(self, error: JudgestreamError) -> None:
        """A try failed that will be made again."""
        self._status.count("retries")
        metrics.retries.labels(error.code).inc()
        new = False
        if isinstance(error, ReleaseError):
            self.breakdowns += isinstance(error, JudgeBroken)
            self._close(error)
            new = self._show(self._status.paused, error)
        elif self._closed is None and self.clock() - self._answered_at > SILENT_S:
            new = self._show(self._status.waiting, error)
        self._tell(error, logged=new)

    def _close(self, error: ReleaseError) -> None:
        if self._closed is None:
            self._closed_at = self.clock()
            self._probe_pause = FIRST_PROBE_S
            self._probe_at = self._closed_at + FIRST_PROBE_S
        elif self._closed.code != error.code:
            metrics.release_paused.labels(self._closed.code).set(0)
        self._closed = error
        metrics.release_paused.labels(error.code).set(1)

    def _show(self, state: Callable[[str], None], error: JudgestreamError) -> bool:
        """Set the board's state, once per kind of failure; the state is logged when it is set."""
        if self._shown == error.code:
            return False
        self._shown = error.code
        state(f"{error.code}: {error}")
        return True

    def _tell(self, error: JudgestreamError, *, logged: bool) -> None:
        """A line per cause and `NOTICE_S`, where the state's own line does not say it already."""
        now = self.clock()
        self._untold[error.code] += 1
        if not logged and now - self._told.get(error.code, -inf) < NOTICE_S:
            return
        self._told[error.code] = now
        times = self._untold.pop(error.code)
        if not logged:
            state = "still paused" if self._closed is not None else "trying again"
            log.warning("%s, %d times since last said: %s: %s", state, times, error.code, error)
