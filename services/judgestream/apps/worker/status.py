"""The current state of a worker, for its board entry and its log."""

import logging
import os
import socket
from collections import Counter, deque
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from threading import Event, Lock
from uuid import uuid4

from judgestream.adapters.redis.worker_board import Place, WorkerEntry, WorkerState
from judgestream.core.fleet.report import ServerReport

log = logging.getLogger(__name__)


class WorkerStatus:
    """Mutable and thread-safe.

    `waiting` and `paused` log only a new reason, so that callers may repeat them at every attempt.
    """

    def __init__(self, *, kind: str, slot: int, group: str = "") -> None:
        self.kind = kind
        self.group = group
        self.slot = slot
        self.release = ""
        self.servers: Callable[[], tuple[ServerReport, ...]] = tuple
        """Reports the Triton servers that this worker asks, from any thread."""
        self.news = Event()
        """Set when the board must show a change at once."""
        self.lag: int | None = None
        self.redis_answers: bool | None = None
        """As the board found at its last renewal; None where no Redis is set, or it has not been asked."""
        self.skips: frozenset[Place] = frozenset()
        """Records to set aside by hand, as last read from the board."""
        self.skipped: deque[Place] = deque()
        """Those that have been set aside and must be removed from the board."""
        self._life = uuid4().hex
        self._started_at = datetime.now(UTC)
        self._partitions: tuple[tuple[str, int], ...] = ()
        self._route: int | None = None
        self._counts: Counter[str] = Counter()
        self._lock = Lock()
        self._state = WorkerState.STARTING
        self._reason = ""

    @property
    def name(self) -> str:
        return f"{self.kind}-{self.slot}"

    @property
    def state(self) -> WorkerState:
        return self._state

    @property
    def reason(self) -> str:
        return self._reason

    def working(self) -> None:
        """The worker makes progress."""
        self._set(WorkerState.WORKING, "")

    def waiting(self, reason: str) -> None:
        """The worker waits for something that is expected to recover, such as an overloaded judge."""
        self._set(WorkerState.WAITING, reason)

    def paused(self, reason: str) -> None:
        """The worker waits until somebody acts, for example on a refused key (401)."""
        self._set(WorkerState.PAUSED, reason)

    def assigned(self, partitions: Iterable[tuple[str, int]]) -> None:
        self._partitions = tuple(sorted(partitions))

    def routed(self, revision: int | None, release: str) -> None:
        """Set the revision of the route that requests take (None: of none), and the release to show."""
        with self._lock:
            self._route = revision
            self.release = release
        self.news.set()

    def measured(self, lag: int) -> None:
        """Set the number of records that the worker is behind."""
        self.lag = lag

    def count(self, name: str, by: int = 1) -> None:
        """Count something for the board: `set_aside`, `dead_letters`, `retries`."""
        with self._lock:
            self._counts[name] += by

    def entry(self) -> WorkerEntry:
        """The present state as a board entry."""
        with self._lock:
            return WorkerEntry(
                kind=self.kind,
                slot=self.slot,
                host=socket.gethostname(),
                pid=os.getpid(),
                life=self._life,
                started_at=self._started_at,
                seen_at=datetime.now(UTC),
                state=self._state,
                reason=self._reason,
                release=self.release,
                route=self._route,
                pid_space=pid_space(),
                partitions=self._partitions,
                lag=self.lag,
                counts=dict(self._counts),
                servers=self.servers(),
            )

    def _set(self, state: WorkerState, reason: str) -> None:
        with self._lock:
            if (state, reason) == (self._state, self._reason):
                return
            before, self._state, self._reason = self._state, state, reason
        if reason:
            log.warning("%s: %s", state.value, reason)
        elif before is not WorkerState.STARTING:
            log.info("%s again", state.value)


def pid_space() -> int:
    """The PID namespace of this process, which distinguishes containers with one host name; 0 if unknown."""
    try:
        return os.stat("/proc/self/ns/pid").st_ino
    except OSError:
        return 0
