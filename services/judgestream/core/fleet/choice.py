"""The choice of a server for the next call: the least loaded one.

The cost of a server is the recent latency of its answers times the calls that it would then have in flight,
so a server that is twice as slow has half as many calls in flight. Balancers such as Finagle's use the same
cost, for two servers drawn at random; here there are few servers, so all are compared. Ties go to the server
that was chosen longest ago.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, inf

DECAY_S = 10.0
"""An answer counts 1/e after this time. So does a server without calls: a slow one is tried again later."""

_LARGEST_WEIGHT = 0.98
_LEAST_S = 1e-6


class Latency:
    """Seconds that recent calls took, averaged with weights that decay with time."""

    def __init__(self) -> None:
        self._seconds: float | None = None
        self._at = -inf

    def observe(self, seconds: float, *, now: float) -> None:
        if self._seconds is None:
            self._seconds = seconds
        else:
            # answers that come at the same time count, too
            weight = min(exp(-max(0.0, now - self._at) / DECAY_S), _LARGEST_WEIGHT)
            self._seconds = weight * self._seconds + (1.0 - weight) * seconds
        self._at = now

    def seconds(self, *, now: float) -> float | None:
        """None before the first call."""
        if self._seconds is None:
            return None
        return self._seconds * exp(-max(0.0, now - self._at) / DECAY_S)


@dataclass(frozen=True, kw_only=True, slots=True)
class Load:
    """The load of one server.

    in_flight   our calls there
    latency_s   of the release that is asked; None before its first call
    chosen      number of the latest choice of this server: a larger one is more recent
    """

    in_flight: int
    latency_s: float | None
    chosen: int


def least_loaded(loads: Sequence[Load]) -> int:
    """Index of the server for the next call. One without a latency counts as the fastest, so it is tried.

    Raises:
        ValueError: there is no server.
    """
    known = [load.latency_s for load in loads if load.latency_s is not None]
    fastest = min(known, default=1.0)

    def cost(k: int) -> tuple[float, int]:
        load = loads[k]
        latency = fastest if load.latency_s is None else load.latency_s
        return (load.in_flight + 1) * max(latency, _LEAST_S), load.chosen

    return min(range(len(loads)), key=cost)
