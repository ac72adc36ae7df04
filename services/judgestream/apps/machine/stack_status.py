"""The status of servers, workers and topics, from the supervisor, the worker board, Kafka and Triton.

A missing source leaves out its part of the status and adds a warning.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from judgestream.adapters.kafka.backlog import Backlog, backlogs, count_since
from judgestream.apps.machine.triton_servers import TritonLine, triton_servers
from judgestream.contracts.topics import DEAD_LETTERS, REQUESTS, VERDICTS
from judgestream.core.costs import Spent, Terms
from judgestream.core.errors import JudgestreamError
from judgestream.core.fleet.report import ServerReport
from judgestream.core.fleet.server_list import parse_servers
from judgestream.core.jury import JuryRecord, is_jury
from judgestream.core.masking import masked
from judgestream.local.state import StackState
from judgestream.local.supervisor_file import PartReport, PartState, Phase, SupervisorReport
from judgestream.settings import Redis, Settings

RECENT = timedelta(hours=1)
STALE_S = 8.0
"""A worker without an update on the board for this long hangs or is gone."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ServerLine:
    """A server. `state` is running, starting, restarting, dead, or external (not checked)."""

    name: str
    state: str
    pid: int | None
    address: str
    log: str
    detail: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkerLine:
    """A worker. None means unknown.

    state        reported by the worker (starting, working, waiting, paused), else by its supervisor
    partitions   of its topic
    lag          in records
    route        revision of the rollout whose route the worker follows; 0 before the first
    seen_s       seconds since its last update on the board
    """

    name: str
    state: str
    pid: int | None
    host: str = ""
    partitions: tuple[int, ...] | None = None
    lag: int | None = None
    release: str = ""
    route: int | None = None
    seen_s: float | None = None
    restarts: int = 0
    set_aside: int = 0
    reason: str = ""
    log: str = ""
    servers: tuple[ServerReport, ...] = ()

    @property
    def judging(self) -> bool:
        return self.name.startswith("judging-")


@dataclass(frozen=True, kw_only=True, slots=True)
class SpendingLine:
    """What a release costs. `spent` is None where Redis does not answer."""

    release: str
    terms: Terms
    spent: Spent | None


@dataclass(kw_only=True, slots=True)
class Overview:
    """The status of everything.

    fatal      why nothing can be judged now; empty if something can
    warnings   problems, each with how to fix it
    """

    servers: list[ServerLine] = field(default_factory=list)
    workers: list[WorkerLine] = field(default_factory=list)
    tritons: list[TritonLine] = field(default_factory=list)
    backlog: list[Backlog] = field(default_factory=list)
    dead_letters: int | None = None
    release: str = ""
    spending: list[SpendingLine] = field(default_factory=list)
    phase: str = ""
    warnings: list[str] = field(default_factory=list)
    fatal: list[str] = field(default_factory=list)


def look(
    settings: Settings,
    folder: Path,
    state: StackState | None,
    report: SupervisorReport | None,
) -> Overview:
    """Collect the status. Takes at most a few seconds where a server does not answer.

    Args:
        state, report: of the local stack; None if none runs.
    """
    status = Overview(phase="" if report is None else str(report.phase))
    if state is not None:
        _look_at_servers(status, folder, state, report)
    _look_at_workers(status, settings, report)
    _look_at_tritons(status, settings)
    _look_at_release(status, settings, report)
    _look_at_kafka(status, settings)
    _conclude(status)
    return status


def _look_at_servers(
    status: Overview, folder: Path, state: StackState, report: SupervisorReport | None
) -> None:
    parts = {part.name: part for part in report.parts} if report is not None else {}
    running = state.running()
    for server in state.servers:
        part = parts.get(server.name)
        if server.external:
            what = "external"
        elif server.name in running:
            what = "running"
        else:
            what = _state_of(part, report)
        status.servers.append(
            ServerLine(
                name=server.name,
                state=what,
                pid=None if server.server is None or what != "running" else server.server.pid,
                address=masked(server.address),
                log=server.log_path or "",
                detail="" if part is None else _detail(part),
            )
        )
        if what in ("dead", "starting", "restarting"):
            status.fatal.append(f"{server.name} does not run; see its log {server.log_path}")
    alive = state.owner_alive()
    status.servers.append(
        ServerLine(
            name="supervisor",
            state="running" if alive else "dead",
            pid=state.owner.pid if alive else None,
            address="",
            log=str(folder / "stack.log"),
        )
    )
    if not alive:
        status.fatal.append("the supervisor does not run: restart everything with `judgestream up`")


def _state_of(part: PartReport | None, report: SupervisorReport | None) -> str:
    """The state of a server that the stack runs, but that has no process."""
    if report is not None and report.phase is Phase.STARTING:
        return "starting"
    if part is None or part.state is PartState.RUNNING:
        return "dead"
    return str(part.state)


def _detail(part: PartReport) -> str:
    """Why a part last ended: with the end of its log while it is down, in one line once it runs again."""
    if part.state is not PartState.RUNNING:
        return part.error
    if not part.restarts or not part.error:
        return ""
    times = "once" if part.restarts == 1 else f"{part.restarts} times"
    return f"{part.name} was restarted {times}; last reason: {part.error.splitlines()[0]}"


def _look_at_workers(status: Overview, settings: Settings, report: SupervisorReport | None) -> None:
    parts = {p.name: p for p in report.parts if p.worker} if report is not None else {}
    board = _board(status, settings)
    for name in sorted({*parts, *board}):
        part, entry = parts.get(name), board.get(name)
        line = WorkerLine(name=name, state="unknown", pid=None)
        if entry is not None:
            line = entry
        if part is not None:
            gone = part.state is not PartState.RUNNING
            # right after a restart the board may still show the previous process
            stale = entry is not None and part.pid is not None and entry.pid != part.pid
            state = str(part.state) if gone or entry is None or stale else line.state
            detail = _detail(part) if gone else ""
            line = WorkerLine(
                name=name,
                state=state,
                pid=part.pid,
                host=line.host,
                partitions=None if gone else line.partitions,
                lag=None if gone else line.lag,
                release=line.release,
                route=None if gone else line.route,
                seen_s=line.seen_s,
                restarts=part.restarts,
                set_aside=line.set_aside,
                reason=detail or line.reason,
                log=part.log,
                servers=() if gone or stale else line.servers,
            )
        status.workers.append(line)


def _board(status: Overview, settings: Settings) -> dict[str, WorkerLine]:
    """The workers' own reports; {} without Redis."""
    try:
        from judgestream.adapters.redis.worker_board import WorkerBoard
    except ImportError:
        status.warnings.append(
            "the workers' own reports are missing: pip install 'judgestream[judge]'"
        )
        return {}
    try:
        board = WorkerBoard.connect(settings.redis)
        if board is None:
            return {}
        with board:
            entries = board.workers()
    except (JudgestreamError, ValueError, OSError) as exc:
        status.warnings.append(f"the worker board cannot be read: {exc}")
        return {}
    now = datetime.now(UTC)
    return {
        entry.name: WorkerLine(
            name=entry.name,
            state=str(entry.state),
            pid=entry.pid,
            host=entry.host,
            partitions=tuple(sorted(number for _, number in entry.partitions)),
            lag=entry.lag,
            release=entry.release,
            route=entry.route,
            seen_s=max(0.0, (now - entry.seen_at).total_seconds()),
            set_aside=entry.counts.get("set_aside", 0),
            reason=entry.reason,
            servers=entry.servers,
        )
        for entry in entries
    }


def _look_at_tritons(status: Overview, settings: Settings) -> None:
    reports = [report for line in status.workers for report in line.servers]
    try:
        status.tritons = triton_servers(settings, reports)
    except ImportError:
        return
    if len(status.tritons) > 1:  # for a single one the release's own line says it
        status.warnings += [
            f"Triton at {one.address} is {one.state}{f': {one.reason}' if one.reason else ''}"
            for one in status.tritons
            if one.state != "up" or one.reason
        ]


def _look_at_release(status: Overview, settings: Settings, report: SupervisorReport | None) -> None:
    stable = next((w.release for w in status.workers if w.name.startswith("rollout-")), "")
    in_use = sorted({line.release for line in status.workers if line.judging and line.release})
    followed = {line.release for line in status.workers if line.judging and line.route}
    named = report.release if report is not None and report.release else settings.triton.release
    if len(followed) == 1:  # they follow a route, which may have another release than the settings
        named = min(followed)
    status.release = stable or named or ", ".join(in_use)
    try:
        from judgestream.adapters.tls.client import ClientTls
        from judgestream.adapters.triton.fleet import Fleet
        from judgestream.adapters.triton.fleet_judge import FleetJudge
    except ImportError:
        return

    tls = ClientTls.of(settings.triton, "triton")
    terms: dict[str, Terms] = {}

    async def look_at(fleet: Fleet, name: str) -> FleetJudge:
        judge = await FleetJudge.connect(fleet, name, deadline_s=5.0)
        terms[judge.release.name] = judge.terms
        return judge

    async def ready() -> str:
        async with Fleet(parse_servers(settings.triton.grpc), tls=tls) as fleet:
            judge = await look_at(fleet, status.release)
            if is_jury(judge.parameters):
                for member in JuryRecord.of(judge.parameters).members:
                    await look_at(fleet, member.release)
            return judge.release.name

    try:
        status.release = asyncio.run(ready())
    except JudgestreamError as exc:
        status.fatal.append(str(exc))
    look_at_spending(
        status, settings.redis, {name: one for name, one in terms.items() if one != Terms()}
    )


def look_at_spending(status: Overview, settings: Redis, terms: Mapping[str, Terms]) -> None:
    """What was spent on the releases that state prices. A budget that is reached is a warning."""
    if not terms:
        return
    try:
        from judgestream.adapters.redis.spending import SpendingView

        view = SpendingView.connect(settings)
    except (ImportError, ValueError):
        view = None
    for name, one in terms.items():
        try:
            spent = None if view is None else view.spent(name)
        except JudgestreamError as exc:
            spent = None
            status.warnings.append(f"what is spent on {name} is unknown: {exc}")
        status.spending.append(SpendingLine(release=name, terms=one, spent=spent))
        if spent is not None and (reached := one.budget.exhausted(spent)):
            status.warnings.append(f"release {name} has spent its budget: {reached}")
    if view is not None:
        view.close()


def _look_at_kafka(status: Overview, settings: Settings) -> None:
    groups = ((REQUESTS, settings.judging.group), (VERDICTS, settings.bias.group))
    try:
        status.backlog = backlogs(settings.kafka, groups)
        status.dead_letters = count_since(settings.kafka, DEAD_LETTERS, datetime.now(UTC) - RECENT)
    except JudgestreamError as exc:
        status.fatal.append(str(exc))
    for entry in status.backlog:
        if entry.records is None:
            status.warnings.append(f"backlog of {entry.topic} for {entry.group}: {entry.problem}")


def _conclude(status: Overview) -> None:
    """Derive warnings and fatal reasons from the collected status."""
    judging = [line for line in status.workers if line.judging]
    for line in status.workers:
        if line.set_aside:
            status.warnings.append(
                f"{line.name} has set aside {line.set_aside} batch{'es' if line.set_aside > 1 else ''} that"
                " could not be read: `judgestream dlq list` shows where"
            )
        if line.state in ("paused", "waiting", "restarting", "dead"):
            status.warnings.append(
                f"{line.name} is {line.state}: {line.reason or 'no reason given'}"
            )
        if line.seen_s is not None and line.seen_s > STALE_S and line.state == "working":
            status.warnings.append(f"{line.name} has not reported for {line.seen_s:.0f} s")
    if not judging:
        status.fatal.append(
            "no judging worker runs: start one with `judgestream worker judging`, or all with"
            " `judgestream up`"
        )
    elif all(line.state in ("paused", "restarting", "dead") for line in judging):
        status.fatal.append(f"no judging worker is working: {_reasons(judging)}")


def _reasons(lines: Sequence[WorkerLine]) -> str:
    return (
        "; ".join(dict.fromkeys(line.reason.splitlines()[0] for line in lines if line.reason))
        or "see their logs"
    )
