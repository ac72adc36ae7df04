"""The number of calls in flight, by what the judge answers within its deadline.

A judge that reads all calls of a worker in one batch may need longer for the batch than one call may take.
Every call then misses its deadline, is asked again, and the judge works for nobody. So a missed deadline
halves the window, as TCP halves its own (Jacobson 1988), and it grows by one call per window of answers that
came within half of the deadline.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from time import monotonic

Pause = Callable[[float], Awaitable[None]]

POLL_S = 0.05
"""Between two checks of a full window by a waiting request."""


class Window:
    """Shared by all requests of one worker. Starts at its largest size, so a fast judge never notices it.

    most        largest size, in calls
    deadline_s  of a call
    """

    def __init__(
        self, *, most: int, deadline_s: float, clock: Callable[[], float] = monotonic
    ) -> None:
        self._most, self._deadline_s, self._clock = most, deadline_s, clock
        self._size = float(most)
        self._in_flight = 0
        self._halved_at = float("-inf")

    @property
    def size(self) -> int:
        """Calls that may be in flight, at least 1."""
        return int(self._size)

    @asynccontextmanager
    async def place(self, pause: Pause) -> AsyncIterator[float]:
        """A place for one call, with the seconds waited for it.

        Raises:
            What `pause` raises.
        """
        began = self._clock()
        while self._in_flight >= self.size:
            await pause(POLL_S)
        self._in_flight += 1
        try:
            yield self._clock() - began
        finally:
            self._in_flight -= 1

    def answered(self, seconds: float) -> None:
        """A call took this long."""
        if seconds <= self._deadline_s / 2:
            self._size = min(float(self._most), self._size + 1 / self._size)

    def missed(self, asked_at: float) -> None:
        """A call that began then missed its deadline. Calls of one window count once."""
        if asked_at > self._halved_at:
            self._size = max(1.0, self._size / 2)
            self._halved_at = self._clock()
