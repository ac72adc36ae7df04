"""The reaction of a process to SIGTERM and SIGINT.

The first signal: it is not ready any more, takes nothing new, finishes and commits what is in flight, and
exits with 0. A second signal ends it at once, and so does a time limit, for example where the broker is away
and nothing can be committed. What is not committed is delivered again.
"""

import logging
import os
import threading
from collections.abc import Callable
from signal import Signals
from time import monotonic

log = logging.getLogger(__name__)

SECOND_S = 1.0
"""Signals within this time of the first are the same wish: a terminal and a supervisor may both send one."""

SIGNALLED = 128
"""Added to the number of the signal: the exit code of a process that a signal has ended."""


def after(seconds: float, act: Callable[[], None]) -> None:
    """Call it in another thread: the event loop may be blocked."""
    timer = threading.Timer(seconds, act)
    timer.daemon = True
    timer.start()


class Stopping:
    """Tells the first signal from one that means it.

    begin    called at the first signal, before anything stops
    limit_s  from the first signal until the process is ended
    end      ends the process
    later    calls something after some seconds
    """

    def __init__(
        self,
        begin: Callable[[], object],
        *,
        limit_s: float,
        end: Callable[[int], object] = os._exit,
        later: Callable[[float, Callable[[], None]], None] = after,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._begin, self._limit_s, self._end = begin, limit_s, end
        self._later, self._clock = later, clock
        self._first_at: float | None = None

    def signal(self, number: Signals) -> None:
        """A signal to stop has come."""
        now = self._clock()
        if self._first_at is None:
            self._first_at = now
            why = f"not stopped {self._limit_s:.0f} s after {number.name}"
            self._later(self._limit_s, lambda: self._end_now(why, number))
            self._begin()
        elif now - self._first_at > SECOND_S:
            self._end_now(f"{number.name} again", number)

    def _end_now(self, why: str, number: Signals) -> None:
        log.critical("%s: ending at once; what is in flight will be delivered again", why)
        self._end(SIGNALLED + number)
