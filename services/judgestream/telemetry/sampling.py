"""The choice of records that are traced.

A producer that sends `traceparent` decides by its sampled flag. The others are drawn. Anybody who may write
requests could set that flag on all of them, so the rate of traces has an upper limit.
"""

from collections.abc import Callable

BURST_S = 2.0
"""A quiet time is made up for by the traces of this many seconds."""


class Sampling:
    """limited   records that were to be traced, and were not, because of the limit"""

    def __init__(
        self,
        *,
        share: float,
        most_per_s: float,
        clock: Callable[[], float],
        draw: Callable[[], float],
    ) -> None:
        """
        Args:
            share: of the records without a `traceparent`, 0 to 1.
            most_per_s: traces per second, also of records with a `traceparent`.
            clock: seconds, monotonic.
            draw: a number from 0 up to 1.
        """
        self._share = share
        self._most_per_s = most_per_s
        self._clock = clock
        self._draw = draw
        self._burst = max(1.0, most_per_s * BURST_S)
        self._left = self._burst
        self._at = clock()
        self.limited = 0

    def wanted(self, parent: bool | None) -> bool:
        """Whether to trace a record.

        Args:
            parent: the sampled flag of its `traceparent`; None without one.
        """
        if not (self._draw() < self._share if parent is None else parent):
            return False
        now = self._clock()
        self._left = min(self._burst, self._left + (now - self._at) * self._most_per_s)
        self._at = now
        if self._left < 1.0:
            self.limited += 1
            return False
        self._left -= 1.0
        return True
