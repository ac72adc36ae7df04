"""A watchdog that ends a worker which has lag but makes no progress, so that its supervisor restarts it.

Faust consumers are known to stop silently (open upstream issues) while the event loop still runs. So the
watchdog is a separate thread, asks the broker for the lag, and ends the process with `os._exit`. No record
is lost, because nothing unfinished was committed.

What it finds is also a check of the worker's health. A worker ends at the second check in a row that finds it
stuck, so that a supervisor which asks /livez can see why.
"""

import logging
import os
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from time import monotonic

from judgestream.apps.worker import metrics
from judgestream.process_health import Check

log = logging.getLogger(__name__)

EXIT_STALLED = 70  # EX_SOFTWARE

SILENT_CHECKS = 3
"""The broker counts as away when it has not answered for the time of this number of checks."""

Partition = tuple[str, int]


@dataclass(slots=True)
class Activity:
    """The worker's progress. Written by the event loop, read by the watchdog's thread.

    events     grows whenever a record is taken, finished or retried
    assigned   the partitions that this worker holds; None before the first assignment
    """

    events: int = 0
    assigned: frozenset[Partition] | None = None


class Watchdog:
    """Checks a worker's activity and lag.

    activity   written by the event loop
    lag        partitions -> records behind; may raise while the broker is unavailable
    stall_s    a worker with lag and without activity for longer is ended
    startup_s  a worker without an assignment for longer is ended
    measured   called with every lag that was measured
    """

    def __init__(
        self,
        activity: Activity,
        lag: Callable[[Iterable[Partition]], int],
        *,
        stall_s: float,
        startup_s: float,
        measured: Callable[[int], object] = lambda lag: None,
        end: Callable[[int], object] = os._exit,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._activity = activity
        self._lag = lag
        self._stall_s = stall_s
        self._startup_s = startup_s
        self._every_s = min(10.0, stall_s / 4, startup_s / 4)
        self._measured = measured
        self._end = end
        self._clock = clock
        self._started_at = self._active_at = self._answered_at = clock()
        self._events = activity.events
        self._newest_lag: int | None = None
        self._stuck = ""
        self._stopped = threading.Event()

    def start(self) -> None:
        threading.Thread(target=self._run, name="watchdog", daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()

    def check(self) -> None:
        """Check once, and end the process if it is stuck and was stuck at the check before."""
        before, self._stuck = self._stuck, self._look()
        if before and self._stuck:
            log.critical("%s; ending this worker", self._stuck)
            self._end(EXIT_STALLED)

    def consumer(self) -> Check:
        """Whether the consumer moves, or has nothing to do. While the lag is unknown it counts as moving."""
        if self._stuck:
            return Check(name="consumer", ok=False, detail=self._stuck)
        if self._activity.assigned is None:
            return Check(name="consumer", ok=True, detail="waits for its partitions")
        lag = "lag unknown" if self._newest_lag is None else f"{self._newest_lag} records behind"
        idle = self._clock() - self._active_at
        return Check(name="consumer", ok=True, detail=f"{lag}, progress {idle:.0f} s ago")

    def partitions(self) -> Check:
        """Whether the group has given this worker its partitions: none, where it has more workers."""
        assigned = self._activity.assigned
        if assigned is None:
            return Check(name="partitions", ok=False, detail="none assigned yet")
        detail = str(len(assigned)) if assigned else "0: the group has more workers than partitions"
        return Check(name="partitions", ok=True, detail=detail)

    def broker(self) -> Check:
        """Whether the broker has answered lately."""
        silent = self._clock() - self._answered_at
        if silent <= SILENT_CHECKS * self._every_s:
            return Check(name="broker", ok=True, detail="answers")
        return Check(name="broker", ok=False, detail=f"no answer for {silent:.0f} s")

    def _look(self) -> str:
        """Why the worker is stuck, or ""."""
        now = self._clock()
        activity = self._activity
        if activity.assigned is None:
            self._answered_at = now  # it is not asked yet
            if now - self._started_at <= self._startup_s:
                return ""
            return (
                f"no partitions were assigned within {self._startup_s:.0f} s: the broker may be away, or this"
                " user may not read the group (Kafka does not report that)"
            )
        lag = self._newest_lag = self._measure(activity.assigned)
        # None: the broker is unavailable, so waiting is right
        if activity.events != self._events or not lag:
            self._events = activity.events
            self._active_at = now
            return ""
        idle = now - self._active_at
        return (
            f"{lag} records behind and no progress for {idle:.0f} s" if idle > self._stall_s else ""
        )

    def _measure(self, partitions: frozenset[Partition]) -> int | None:
        """The lag; None while it cannot be measured."""
        try:
            lag = self._lag(partitions)
        except Exception as exc:
            log.info("the lag could not be measured: %s", exc)
            return None
        self._answered_at = self._clock()
        metrics.lag.set(lag)
        self._measured(lag)
        return lag

    def _run(self) -> None:
        while not self._stopped.wait(self._every_s):
            try:
                self.check()
            except Exception:
                metrics.background_failures.labels("watchdog").inc()
                log.exception("the watchdog's check failed")
