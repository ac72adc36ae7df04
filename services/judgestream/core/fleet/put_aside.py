"""A release at one server that gets no calls for a while, because calls there have failed."""

from math import inf

from judgestream.core.backoff import Backoff

PAUSES = Backoff(first_s=0.5, longest_s=15.0)


class PutAside:
    """Pauses that grow with every failure after a pause, until a call is answered.

    reason   of the latest failure; "" without one
    """

    def __init__(self, pauses: Backoff = PAUSES) -> None:
        self.reason = ""
        self._pauses = pauses
        self._failures = 0
        self._until = -inf

    def lasts(self, now: float) -> bool:
        """Whether no call should be made now."""
        return now < self._until

    @property
    def until(self) -> float:
        """When the pause ends."""
        return self._until

    def failed(self, reason: str, now: float) -> None:
        """A call failed. Calls that fail during a pause were made before it, and do not lengthen it."""
        if self.lasts(now):
            return
        self.reason = reason
        self._failures += 1
        self._until = now + self._pauses(self._failures)

    def ended(self) -> None:
        """A call was answered, or the server has come back: what failed before does not count."""
        self.reason = ""
        self._failures = 0
        self._until = -inf
