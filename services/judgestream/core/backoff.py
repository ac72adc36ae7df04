"""Exponential back-off: the length of the pause after the n-th failure.

Only the arithmetic, because the callers must wait in their own ways, which no retry library offers: a record
waits until its partition is revoked, requests share one closed gate and one probe, an endpoint's Retry-After
holds for every caller, and nothing is given up after a number of attempts.
"""

from collections.abc import Callable
from dataclasses import dataclass

MAX_DOUBLINGS = 30
"""Keeps 2 to the power of the failures a finite float."""


def largest_draw() -> float:
    """The draw of a back-off without jitter."""
    return 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Backoff:
    """Pauses that double with every failure.

    first_s     after the first failure, in seconds
    longest_s   the bound of the doubling
    draw        returns a random number from 0 to 1; a pause is its full length times 0.5 to 1, so that
                waiting callers spread
    """

    first_s: float
    longest_s: float
    draw: Callable[[], float] = largest_draw

    def __call__(self, failures: int) -> float:
        """The pause after this many failures in a row, at least 1."""
        doubled: float = self.first_s * 2.0 ** min(failures - 1, MAX_DOUBLINGS)
        return min(self.longest_s, doubled) * (0.5 + 0.5 * self.draw())
