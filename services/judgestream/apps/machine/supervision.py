"""Restarts of servers and workers that have ended, with exponential back-off.

`Supervised.look` never blocks: each part restarts in its own thread, so that a Triton that loads for a minute
does not delay the restart of a worker. stamina sleeps between attempts, so it does not fit here: a pause must
be visible in the report and end at once when the stack stops.
"""

import logging
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from judgestream.core.backoff import Backoff
from judgestream.local.supervisor_file import PartReport, PartState

log = logging.getLogger(__name__)

STEADY_S = 60.0
"""A part that has run for this long starts again with the shortest pause."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """A server or a worker, as the supervisor sees it.

    start   ends the rest of the last start and starts again; may take minutes; raises when it fails
    check   raises with the reason when the part has ended
    pid     None while it does not run
    """

    name: str
    worker: bool
    log_path: Path
    start: Callable[[], None]
    check: Callable[[], None]
    pid: Callable[[], int | None]


class Supervised:
    """One part that runs now. `look` about every second; `restart` to have it start anew on purpose.

    The pause before the n-th start in a row is `first_pause_s * 2 ** (n - 1)`, at most `longest_pause_s`.
    """

    def __init__(self, part: Part, *, first_pause_s: float, longest_pause_s: float) -> None:
        self.part = part
        self.state = PartState.RUNNING
        self.restarts = 0
        self.error = ""
        self._backoff = Backoff(first_s=first_pause_s, longest_s=longest_pause_s)
        self._failures = 0
        self._since = time.time()
        self._steady_from = time.monotonic()
        self._restart_at = 0.0
        self._pool = ThreadPoolExecutor(1, thread_name_prefix=f"start {part.name}")
        self._starting: Future[None] | None = None

    @property
    def starting(self) -> bool:
        return self._starting is not None

    @property
    def busy(self) -> bool:
        """Whether a start is in progress in its thread."""
        return self._starting is not None and not self._starting.done()

    def look(self) -> bool:
        """Check the part, and restart it when due. Returns whether anything has changed."""
        if self._starting is not None:
            return self._starting.done() and self._take_result(self._starting)
        if self.state is PartState.RESTARTING:
            if time.monotonic() < self._restart_at:
                return False
            self.restart()
            return True
        try:
            self.part.check()
        except Exception as exc:
            self._failed(exc)
            return True
        return False

    def restart(self) -> None:
        """Restart now, without a pause. Does nothing while a start is in progress."""
        if self._starting is None:
            self._enter(PartState.STARTING)
            self._starting = self._pool.submit(self.part.start)

    def report(self) -> PartReport:
        waiting = self.state is PartState.RESTARTING
        left = self._restart_at - time.monotonic()
        return PartReport(
            name=self.part.name,
            worker=self.part.worker,
            state=self.state,
            pid=None if waiting else self.part.pid(),
            restarts=self.restarts,
            since=self._since,
            restart_at=time.time() + left if waiting else None,
            error=self.error,
            log=str(self.part.log_path),
        )

    def close(self) -> None:
        """Wait for a start in progress. The caller must have made it fail."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _take_result(self, starting: "Future[None]") -> bool:
        self._starting = None
        error = starting.exception()
        if error is not None:
            self._failed(error)
            return True
        self.restarts += 1
        self._steady_from = time.monotonic()
        self._enter(PartState.RUNNING)
        log.info("%s runs again (pid %s)", self.part.name, self.part.pid())
        return True

    def _failed(self, error: BaseException) -> None:
        now = time.monotonic()
        steady = self.state is PartState.RUNNING and now - self._steady_from >= STEADY_S
        self._failures = 1 if steady else self._failures + 1
        pause = self._backoff(self._failures)
        self.error = str(error) or type(error).__name__
        self._restart_at = now + pause
        self._enter(PartState.RESTARTING)
        log.error("%s; restarting it in %.1f s", self.error, pause)

    def _enter(self, state: PartState) -> None:
        self.state = state
        self._since = time.time()
