"""The heartbeat of an event loop: it beats once a second, and another thread looks at the last beat."""

import asyncio
from collections.abc import Callable
from time import monotonic

from judgestream.process_health import Check

BEAT_S = 1.0
LOOP_S = 15.0
"""A loop without a beat for longer is blocked. Far above what garbage collection or a busy machine costs."""


class Heartbeat:
    """The beats of one loop, from `start` on."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._beat_at: float | None = None

    def start(self) -> None:
        """Beat until the running loop is closed."""
        self.beat()
        asyncio.get_running_loop().call_later(BEAT_S, self.start)

    def beat(self) -> None:
        self._beat_at = self._clock()

    def check(self) -> Check:
        if self._beat_at is None:
            return Check(name="event loop", ok=True, detail="not started yet")
        age = self._clock() - self._beat_at
        return Check(
            name="event loop",
            ok=age <= LOOP_S,
            detail="answers" if age <= LOOP_S else f"blocked for {age:.0f} s",
        )
