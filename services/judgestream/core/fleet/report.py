"""The state of a server of the fleet, as one worker sees it: for the worker board, status and metrics."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class ServerState(StrEnum):
    UP = "up"
    DOWN = "down"
    """It does not answer, see `reason`."""
    DRAINING = "draining"
    """It gets no new calls; those in flight finish."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ServerReport:
    """One server.

    in_flight   calls of this worker
    releases    those that the worker uses -> why this server does not answer for them, as "code: text"; "" if
                it does
    """

    address: str
    state: ServerState
    reason: str = ""
    in_flight: int = 0
    releases: Mapping[str, str] = field(default_factory=dict)
