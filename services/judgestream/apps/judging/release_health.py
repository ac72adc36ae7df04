"""Health of a worker's release: a gate for its requests, and its state for log, metrics and board.

The gate is open while the release answers. A `ReleaseError` closes it: requests wait at the gate, unjudged
and uncommitted, and one of them asks the known good prompt at growing intervals. The first answer opens the
gate. Every failure is visible in the log, in the metrics, and in the worker's state on the board.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from math import inf
from time import monotonic
from typing import Protocol

from judgestream.apps.worker import metrics
from judgestream.core.backoff import Backoff
from judgestream.core.errors import (
    BudgetSpent,
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
"""Between two probes of a paused release; doubles from the first to the longest."""

LONGEST_LOCAL_PROBE_S = 5.0
"""The same where probes are free: the rollout service is about to act, or a budget may be raised."""

GATE_POLL_S = 0.5
"""Between two checks of the gate by a waiting request."""

LOG_INTERVAL_S = 30.0
"""At most one line per kind of failure in this time."""

SILENT_S = 2.0
"""Without an answer for this long, failures are the worker's state and not only some requests'."""


class HealthStatus(Protocol):
    """Where the health is shown: as `WorkerStatus`."""

    def working(self) -> None: ...

    def waiting(self, reason: str) -> None: ...

    def paused(self, reason: str) -> None: ...

    def count(self, name: str, by: int = 1) -> None: ...


class ReleaseHealth:
    """Shared by all requests of one worker.

    probe       asks the known good prompt; raises as the judge's `ask` does
    clock       seconds; every time in this class is read from it
    breakdowns  failures of the model on the known good prompt
    """

    def __init__(
        self,
        status: HealthStatus,
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
        self._failed_probes = 0
        self._shown = ""
        self._logged_at: dict[str, float] = {}
        self._unlogged: Counter[str] = Counter()

    @property
    def paused(self) -> bool:
        return self._closed is not None

    async def enter(self, pause: Pause) -> float:
        """Wait until the gate is open. Returns the seconds waited. Raises what `pause` raises."""
        came = self.clock()
        while self._closed is not None:
            now = self.clock()
            if now >= self._probe_at and not self._proving.locked():
                await self.prove()
            if self._closed is not None:
                await pause(GATE_POLL_S)
        return self.clock() - came

    async def prove(self) -> bool:
        """Ask the known good prompt. Returns whether it was answered; a failure is reported like any other.

        Concurrent calls share one probe. An answer to any prompt asked after the call counts, too.
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
                local = isinstance(exc, BudgetSpent | JudgeUnhealthy | ReleaseNotLoaded)
                longest = LONGEST_LOCAL_PROBE_S if local else LONGEST_PROBE_S
                self.failed(exc)
                self._failed_probes += 1
                pause = Backoff(first_s=FIRST_PROBE_S, longest_s=longest)(self._failed_probes)
                self._probe_at = self.clock() + pause
                return False
            self.answered(asked_at)
            return True

    def answered(self, asked_at: float) -> None:
        """Report an answer to a prompt that was asked at this time."""
        self._answered_at = self.clock()
        self._good_since = max(self._good_since, asked_at)
        if self._closed is not None:
            if asked_at < self._closed_at:
                return  # asked before the gate closed, so it is not evidence
            metrics.release_paused.labels(self._closed.code).dec()
            self._closed = None
        if self._shown:
            self._shown = ""
            self._status.working()

    def failed(self, error: JudgestreamError) -> None:
        """Report a failure that will be retried."""
        self._status.count("retries")
        metrics.retries.labels(error.code).inc()
        new = False
        if isinstance(error, ReleaseError):
            self.breakdowns += isinstance(error, JudgeBroken)
            self._close(error)
            new = self._show(self._status.paused, error)
        elif self._closed is None and self.clock() - self._answered_at > SILENT_S:
            new = self._show(self._status.waiting, error)
        self._log(error, logged=new)

    def end(self) -> None:
        """The worker asks this release no more, so its state is not the worker's any more."""
        if self._closed is not None:
            metrics.release_paused.labels(self._closed.code).dec()
            self._closed = None
        if self._shown:
            self._shown = ""
            self._status.working()

    def _close(self, error: ReleaseError) -> None:
        if self._closed is None:
            self._closed_at = self.clock()
            self._failed_probes = 0
            self._probe_at = self._closed_at + FIRST_PROBE_S
        elif self._closed.code != error.code:
            metrics.release_paused.labels(self._closed.code).dec()
        if self._closed is None or self._closed.code != error.code:
            metrics.release_paused.labels(error.code).inc()
        self._closed = error

    def _show(self, state: Callable[[str], None], error: JudgestreamError) -> bool:
        """Set the board's state once per kind of failure. Returns whether it was set, and so logged."""
        if self._shown == error.code:
            return False
        self._shown = error.code
        state(f"{error.code}: {error}")
        return True

    def _log(self, error: JudgestreamError, *, logged: bool) -> None:
        """Log at most one line per kind of failure and `LOG_INTERVAL_S`, unless the state was just logged."""
        now = self.clock()
        self._unlogged[error.code] += 1
        if not logged and now - self._logged_at.get(error.code, -inf) < LOG_INTERVAL_S:
            return
        self._logged_at[error.code] = now
        times = self._unlogged.pop(error.code)
        if not logged:
            state = "still paused" if self._closed is not None else "retrying"
            log.warning(
                "%s, %d failures since the last line: %s: %s", state, times, error.code, error
            )
