"""The health of one process: whether it must be restarted (live), and whether it does its work (ready).

Checks only read what other threads and background checks have left, so an answer never waits for a server.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """One check. The detail is shown to everybody who can reach the port: it never contains a secret."""

    name: str
    ok: bool
    detail: str = ""


Checks = Callable[[], Check]
"""A check, for any thread. It returns at once."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """The checks of one question, and the answer that follows from them."""

    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        return all(check.ok for check in self.checks)


class Health:
    """Checks, added as the process starts. Thread-safe: a list is replaced, never changed.

    reason  why the process has not started yet
    """

    def __init__(self, reason: Callable[[], str] = str) -> None:
        self._reason = reason
        self._live: tuple[Checks, ...] = ()
        self._ready: tuple[Checks, ...] = ()
        self._started = self._draining = False

    def live_while(self, *checks: Checks) -> None:
        """Add checks whose failure a restart repairs. A server that is away is none of them."""
        self._live = (*self._live, *checks)

    def ready_while(self, *checks: Checks) -> None:
        """Add checks whose failure keeps the process from its work."""
        self._ready = (*self._ready, *checks)

    def started(self) -> None:
        """Everything is open."""
        self._started = True

    def drain(self) -> None:
        """The process takes nothing new and finishes what it has."""
        self._draining = True

    def live(self) -> Report:
        return Report(checks=tuple(map(_safely, self._live)))

    def ready(self) -> Report:
        """Also not ready while it is not live."""
        return Report(checks=(self._state(), *map(_safely, (*self._live, *self._ready))))

    def _state(self) -> Check:
        if self._draining:
            return Check(name="state", ok=False, detail="stopping: it finishes what is in flight")
        if not self._started:
            return Check(name="state", ok=False, detail=f"starting: {self._reason()}".rstrip(": "))
        return Check(name="state", ok=True, detail="started")


def _safely(check: Checks) -> Check:
    try:
        return check()
    except Exception as exc:
        log.exception("a health check failed")
        name = getattr(check, "__name__", "check")
        return Check(
            name=name, ok=False, detail=f"the check raised {type(exc).__name__}: see the log"
        )
