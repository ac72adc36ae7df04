"""Keeps the servers and workers of one machine running: who has ended is started again, after a pause.

One look (`Supervised.look`) never blocks: starting again happens in a thread of the part's own, so that a
Triton that loads for a minute does not keep a worker from being restarted.
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
"""A part that has run for this long is no longer counted as one that keeps failing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """What the supervisor must know of a server or a worker.

    start   ends what is left of the last start and starts anew; may take minutes; raises when it fails
    check   returns while it runs, raises with the reason when it has ended
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
        """Whether a start is under way in another thread right now."""
        return self._starting is not None and not self._starting.done()

    def look(self) -> bool:
        """One look; returns whether anything has changed. Never raises for what the part did."""
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
        """Start anew now, without a pause. Does nothing while a start is under way."""
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
        """Wait for a start that is under way to end. Whoever calls makes it end soon."""
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
        log.error("%s; starting it again in %.1f s", self.error, pause)

    def _enter(self, state: PartState) -> None:
        self.state = state
        self._since = time.time()
