"""The rollout service: installs, loads, tests and unloads releases, and publishes which one is used for what.

Several instances may run: the one with the lease leads, the others answer questions and wait.
"""

import asyncio
import logging
import signal
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from judgestream.adapters.redis.worker_board import WorkerBoard
from judgestream.apps.rollout.api import RolloutApi
from judgestream.apps.rollout.automatic import Automatic
from judgestream.apps.rollout.checks import leadership_check, not_leading_text, topic_check
from judgestream.apps.rollout.connections import Connections, open_connections
from judgestream.apps.rollout.desk import Desk
from judgestream.apps.rollout.evidence import EvidenceLoop
from judgestream.apps.rollout.evidence_feed import EvidenceFeed
from judgestream.apps.rollout.finding import Finder
from judgestream.apps.rollout.healing import Healer, used_by
from judgestream.apps.rollout.instance import Instance
from judgestream.apps.rollout.leader import Leader
from judgestream.apps.rollout.leadership import Leadership
from judgestream.apps.rollout.policies import read_policy
from judgestream.apps.rollout.preparing import BY, Preparer
from judgestream.apps.rollout.server_healers import server_healers
from judgestream.apps.rollout.serving import served
from judgestream.apps.rollout.smoke import smoke_judgement
from judgestream.apps.rollout.tasks import Tasks
from judgestream.apps.rollout.unloading import Unloader
from judgestream.apps.worker.board_keeper import on_board, redis_check
from judgestream.apps.worker.endpoints import serve_health
from judgestream.apps.worker.heartbeat import Heartbeat
from judgestream.apps.worker.readiness import Ready, ignore_ready
from judgestream.apps.worker.status import WorkerStatus
from judgestream.apps.worker.stopping import Stopping
from judgestream.core.rollout.state import Step
from judgestream.evaluation.gate import Policy
from judgestream.process_health import Health
from judgestream.settings import Settings

log = logging.getLogger(__name__)

SHOW_S = 0.5


def main(settings: Settings, repository: Path, slot: int, ready: Ready = ignore_ready) -> int:
    """Serve until SIGTERM or SIGINT. Returns the exit code.

    Args:
        repository: Triton's model repository, as this machine sees it.

    Raises:
        JudgestreamError: something is missing; the message says what, and how to fix it.
    """
    status = WorkerStatus(kind="rollout", slot=slot)
    with on_board(settings.redis, status):
        health = serve_health(settings.worker, status)
        asyncio.run(_run(settings, repository, status, ready, health))
    return 0


async def _run(
    settings: Settings, repository: Path, status: WorkerStatus, ready: Ready, health: Health
) -> None:
    async with AsyncExitStack() as stack:
        stopped = _stopped_by_signals(health, limit_s=settings.kafka.rebalance_timeout_s)
        policy = read_policy(settings.rollout.policy)
        here = Instance.here(settings.rollout.grpc)
        to = await open_connections(settings, stack, slot=status.slot, instance=here.text)
        journal, desk = to.journal, Desk(to.journal)
        work = _work(settings, repository, status, policy, to, desk)
        leadership = Leadership(
            to.lease,
            instance=here.text,
            begin=lambda: journal.begin_term(prepare=work.automatic.first_state),
            writing=lambda: bool(journal.epoch),
            end=journal.end_term,
            act=work.leader.act,
            is_dead=here.knows_dead,
        )
        not_leading = partial(not_leading_text, leadership, here.text)
        finder = Finder(repository, to.feed.by_release)
        api = RolloutApi(
            journal,
            desk,
            policy,
            lambda request: finder.find(request, journal.state),
            not_leading=not_leading,
            progress=lambda: work.leader.progress,
            available=lambda: list(to.feed.by_release.values()),
            unload=lambda release, by: work.unloader.ask(release, by=by),
            key=settings.triton.control_key,
            movers=settings.rollout.mover_names,
        )
        await stack.enter_async_context(served(settings.rollout, api, lambda: not journal.problem))
        health.ready_while(
            lambda: topic_check(journal.problem),
            partial(leadership_check, leadership, here.text),
            partial(redis_check, status, needed=True),
        )
        health.started()

        def show() -> None:
            status.release = journal.state.stable or settings.triton.release
            if leadership_check(leadership, here.text).ok:
                ready()
            if not leadership.leads:  # else the healing tells
                status.waiting(not_leading())

        await _lead(leadership, stopped, show)


@dataclass(frozen=True, kw_only=True, slots=True)
class Work:
    """What the instance that leads does, and those parts of it that others ask."""

    leader: Leader
    automatic: Automatic
    unloader: Unloader


def _work(
    settings: Settings,
    repository: Path,
    status: WorkerStatus,
    policy: Policy,
    to: Connections,
    desk: Desk,
) -> Work:
    """Wire the parts. Nothing runs yet."""
    journal, deadline_s = to.journal, settings.judging.deadline_s
    preparing, unloading = Tasks(journal.notify), Tasks(journal.notify)

    async def smoke(server: str, release: str, digest: str) -> None:
        await smoke_judgement(server, release, digest=digest, deadline_s=deadline_s, tls=to.tls)

    unloader = Unloader(
        desk,
        unloading,
        to.fleet,
        lambda release, left: _users(to.board, release, left),
        repository=repository,
        grace_s=settings.rollout.grace_s,
    )
    healer = Healer(
        board=to.board,
        addresses=to.fleet.addresses,
        server=server_healers(to.fleet, to.store, status, deadline_s=deadline_s, tls=to.tls),
        drains=to.drains,
        needed=partial(_needed, desk, unloader, settings.triton.release),
        unneeded=lambda: desk.state.releases.keys() - set(unloader.needed()),
        status=status,
    )
    automatic = Automatic(
        desk,
        to.feed,
        auto_stage=settings.rollout.auto_stage,
        wanted=settings.triton.release,
    )
    preparer = Preparer(
        desk,
        preparing,
        to.fleet,
        smoke,
        repository=repository,
        least_servers=settings.rollout.least_servers,
        device=settings.triton.device,
    )
    evidence = partial(EvidenceFeed, settings.kafka)
    leader = Leader(
        preparer,
        preparing,
        unloader,
        unloading,
        automatic,
        healer,
        lambda: journal.state,
        background={"evidence": lambda: EvidenceLoop(evidence, policy, by=BY).run(desk)},
    )
    return Work(leader=leader, automatic=automatic, unloader=unloader)


async def _lead(leadership: Leadership, stopped: asyncio.Event, show: Callable[[], object]) -> None:
    """Lead, or wait to lead, until `stopped`, and call `show` meanwhile. Raises what ends the leadership."""
    leading = asyncio.create_task(leadership.run())
    try:
        while not stopped.is_set():
            show()
            with suppress(TimeoutError):
                await asyncio.wait_for(stopped.wait(), SHOW_S)
            if leading.done():
                leading.result()  # raises what ended it
    finally:
        leading.cancel()
        await asyncio.gather(leading, return_exceptions=True)


def _stopped_by_signals(health: Health, *, limit_s: float) -> asyncio.Event:
    """An event that SIGTERM and SIGINT set. The process is live while this loop runs, and then drains."""
    stopped, heartbeat = asyncio.Event(), Heartbeat()
    heartbeat.start()
    health.live_while(heartbeat.check)

    def stop() -> None:
        health.drain()
        stopped.set()

    stopping = Stopping(stop, limit_s=limit_s)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.signal, number)
    return stopped


def _needed(desk: Desk, unloader: Unloader, configured: str) -> set[str]:
    """The releases that must be loaded: those in use that are ready, or at first that of the settings."""
    state = desk.state
    ready_ones = {r for r in unloader.needed() if state.releases[r].step is Step.READY}
    first = {configured} if configured and not state.stable else set()
    return ready_ones or first


def _users(board: WorkerBoard, release: str, left: int) -> list[str]:
    """The workers that use a release, or that do not yet follow the revision with which it left traffic."""
    return [
        entry.name
        for entry in board.workers()
        if entry.kind != "rollout"
        and (release in used_by([entry]) or (entry.route is not None and entry.route < left))
    ]
