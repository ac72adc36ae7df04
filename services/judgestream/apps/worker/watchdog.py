"""A watchdog that ends a worker which has lag but makes no progress, so that its supervisor restarts it.

Faust consumers are known to stop silently (open upstream issues) while the event loop still runs. So the
watchdog is a separate thread, asks the broker for the lag, and ends the process with `os._exit`. No record
is lost, because nothing unfinished was committed.
"""

import logging
import os
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from time import monotonic

from judgestream.apps.worker import metrics

log = logging.getLogger(__name__)

EXIT_STALLED = 70  # EX_SOFTWARE

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
        self._measured = measured
        self._end = end
        self._clock = clock
        self._started_at = self._active_at = clock()
        self._events = activity.events
        self._stopped = threading.Event()

    def start(self) -> None:
        threading.Thread(target=self._run, name="watchdog", daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()

    def check(self) -> None:
        """Check once, and end the process if it is stuck."""
        now = self._clock()
        activity = self._activity
        if activity.assigned is None:
            if now - self._started_at > self._startup_s:
                log.critical(
                    "no partitions were assigned within %.0f s: the broker may be away, or this user may"
                    " not read the group (Kafka does not report that); ending this worker",
                    self._startup_s,
                )
                self._end(EXIT_STALLED)
            return
        lag = self._measure(activity.assigned)
        # None: the broker is unavailable, so waiting is right
        if activity.events != self._events or not lag:
            self._events = activity.events
            self._active_at = now
        elif now - self._active_at > self._stall_s:
            log.critical(
                "%d records behind and no progress for %.0f s: ending this worker",
                lag,
                now - self._active_at,
            )
            self._end(EXIT_STALLED)

    def _measure(self, partitions: frozenset[Partition]) -> int | None:
        """The lag; None while it cannot be measured."""
        try:
            lag = self._lag(partitions)
        except Exception as exc:
            log.info("the lag could not be measured: %s", exc)
            return None
        metrics.lag.set(lag)
        self._measured(lag)
        return lag

    def _run(self) -> None:
        every = min(10.0, self._stall_s / 4, self._startup_s / 4)
        while not self._stopped.wait(every):
            try:
                self.check()
            except Exception:
                metrics.background_failures.labels("watchdog").inc()
                log.exception("the watchdog's check failed")
