"""The check of a worker's judges: one of them can be asked now."""

from typing import Protocol

from judgestream.apps.judging.one_release import RequestsJudge
from judgestream.core.fleet.report import ServerReport, ServerState
from judgestream.process_health import Check


class Judges(Protocol):
    """As `FollowedJudges`."""

    def names(self) -> tuple[str, ...]: ...
    def opened(self, release: str) -> RequestsJudge | None: ...


class Servers(Protocol):
    """As `Fleet`."""

    def reports(self) -> tuple[ServerReport, ...]: ...


def judge_check(judges: Judges, servers: Servers) -> Check:
    """Ok while one release of the route can be asked, or the worker asks none. For any thread.

    The reasons are codes: the texts of endpoints are for the log.
    """
    names = judges.names()
    if not names:
        return Check(name="judge", ok=True, detail="the route names no release for this worker")
    reports = servers.reports()
    problems = {name: _problem(judges.opened(name), reports) for name in names}
    detail = ", ".join(f"{name} {problem or 'answers'}" for name, problem in problems.items())
    return Check(name="judge", ok="" in problems.values(), detail=detail)


def _problem(judge: RequestsJudge | None, reports: tuple[ServerReport, ...]) -> str:
    """Why a release cannot be asked, or ""."""
    if judge is None:
        return "is not open"
    if judge.paused:
        return "is paused"
    why = []
    for server in reports:
        if server.state is not ServerState.UP:
            why.append(f"{server.address} is {server.state}")
            continue
        problem = server.releases.get(judge.release.name, "not_asked")
        if not problem:
            return ""
        why.append(f"{server.address}: {problem.partition(':')[0]}")
    return f"is not served ({'; '.join(why) or 'no server'})"
