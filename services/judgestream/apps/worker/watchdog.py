"""Ends a worker that has lag and does not move, so that its supervisor starts it again.

Faust consumers are known to stop silently (open upstream issues), with the event loop still alive. So this
runs in a thread of its own, asks the broker about the lag itself, and ends the process the hard way: nothing
is lost, because nothing unfinished was committed.
"""

import logging
import os
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from time import monotonic

from judgestream.apps.worker import metrics

log = logging.getLogger(__name__)

EXIT_STALLED = 70  # EX_SOFTWARE

Partition = tuple[str, int]


@dataclass(slots=True)
class Movement:
    """What the worker tells the watchdog. Written by the event loop, read by the thread.

    moves      grows whenever a record is taken, finished, or tried again
    assigned   the partitions that this worker holds; None before the first assignment
    """

    moves: int = 0
    assigned: frozenset[Partition] | None = field(default=None)


class Watchdog:
    """`lag(partitions)` is the number of records behind; it may raise while the broker is away. `measured` is
    told of each number.
    """

    def __init__(
        self,
        movement: Movement,
        lag: Callable[[Iterable[Partition]], int],
        *,
        stall_s: float,
        startup_s: float,
        measured: Callable[[int], object] = lambda lag: None,
        end: Callable[[int], object] = os._exit,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._movement = movement
        self._lag = lag
        self._stall_s = stall_s
        self._startup_s = startup_s
        self._measured = measured
        self._end = end
        self._clock = clock
        self._started = self._moved_at = clock()
        self._moves = movement.moves
        self._stopped = threading.Event()

    def start(self) -> None:
        threading.Thread(target=self._run, name="watchdog", daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()

    def look(self) -> None:
        """One look: end the process if it is stuck."""
        now = self._clock()
        movement = self._movement
        if movement.assigned is None:
            if now - self._started > self._startup_s:
                log.critical(
                    "no partitions were assigned within %.0f s: the group may be forbidden to this user"
                    " (Kafka says nothing then) or the broker be away; ending this worker",
                    self._startup_s,
                )
                self._end(EXIT_STALLED)
            return
        lag = self._measure(movement.assigned)
        if movement.moves != self._moves or lag == 0:
            self._moves = movement.moves
            self._moved_at = now
        elif lag is None:
            self._moved_at = now  # the broker is away: waiting is right
        elif now - self._moved_at > self._stall_s:
            log.critical(
                "%d records behind and nothing done for %.0f s: ending this worker",
                lag,
                now - self._moved_at,
            )
            self._end(EXIT_STALLED)

    def _measure(self, partitions: frozenset[Partition]) -> int | None:
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
                self.look()
            except Exception:
                metrics.background_failures.labels("watchdog").inc()
                log.exception("the watchdog could not look")
