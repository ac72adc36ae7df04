"""The state of a worker whose jury has several releases: paused while one of them is, else waiting."""

from judgestream.adapters.redis.worker_board import WorkerState
from judgestream.apps.judging.release_health import HealthStatus


class JuryStatus:
    """The members' states, and the worker's own made of them."""

    def __init__(self, status: HealthStatus) -> None:
        self._status = status
        self._troubles: dict[str, tuple[WorkerState, str]] = {}

    def of(self, member: str) -> "MemberStatus":
        """The status for one member's `ReleaseHealth`."""
        return MemberStatus(self, member)

    def count(self, name: str, by: int) -> None:
        self._status.count(name, by)

    def set(self, member: str, state: WorkerState, reason: str) -> None:
        """Set a member's state, and show the gravest of all: the first that is paused, else that waits."""
        self._troubles.pop(member, None)
        if state is not WorkerState.WORKING:
            self._troubles[member] = (state, reason)
        for gravest, show in (
            (WorkerState.PAUSED, self._status.paused),
            (WorkerState.WAITING, self._status.waiting),
        ):
            for own, why in self._troubles.values():
                if own is gravest:
                    show(why)
                    return
        self._status.working()


class MemberStatus:
    """One member's part of the worker's status."""

    def __init__(self, jury: JuryStatus, member: str) -> None:
        self._jury = jury
        self._member = member

    def working(self) -> None:
        self._jury.set(self._member, WorkerState.WORKING, "")

    def waiting(self, reason: str) -> None:
        self._jury.set(self._member, WorkerState.WAITING, reason)

    def paused(self, reason: str) -> None:
        self._jury.set(self._member, WorkerState.PAUSED, reason)

    def count(self, name: str, by: int = 1) -> None:
        self._jury.count(name, by)
