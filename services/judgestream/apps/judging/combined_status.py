"""The state of a worker that asks several releases: paused while one of them is, else waiting."""

from judgestream.adapters.redis.worker_board import WorkerState
from judgestream.apps.judging.release_health import HealthStatus


class CombinedStatus:
    """The releases' states, and the worker's own made of them."""

    def __init__(self, status: HealthStatus) -> None:
        self._status = status
        self._troubles: dict[str, tuple[WorkerState, str]] = {}

    def of(self, release: str) -> "ReleaseStatus":
        """The status for one release."""
        return ReleaseStatus(self, release)

    def count(self, name: str, by: int) -> None:
        self._status.count(name, by)

    def set(self, release: str, state: WorkerState, reason: str) -> None:
        """Set a release's state, and show the gravest of all: the first that is paused, else that waits."""
        self._troubles.pop(release, None)
        if state is not WorkerState.WORKING:
            self._troubles[release] = (state, reason)
        for gravest, show in (
            (WorkerState.PAUSED, self._status.paused),
            (WorkerState.WAITING, self._status.waiting),
        ):
            for own, why in self._troubles.values():
                if own is gravest:
                    show(why)
                    return
        self._status.working()


class ReleaseStatus:
    """One release's part of the worker's status."""

    def __init__(self, combined: CombinedStatus, release: str) -> None:
        self._combined = combined
        self._release = release

    def working(self) -> None:
        self._combined.set(self._release, WorkerState.WORKING, "")

    def waiting(self, reason: str) -> None:
        self._combined.set(self._release, WorkerState.WAITING, reason)

    def paused(self, reason: str) -> None:
        self._combined.set(self._release, WorkerState.PAUSED, reason)

    def count(self, name: str, by: int = 1) -> None:
        self._combined.count(name, by)
