"""The connections of a judging worker: the Triton servers, and its release or the members of its jury."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from judgestream.adapters.tls.client import ClientTls
from judgestream.adapters.triton.fleet import Fleet
from judgestream.adapters.triton.fleet_judge import FleetJudge
from judgestream.apps.judging.budget_metrics import BUDGETS
from judgestream.apps.judging.combined_status import CombinedStatus
from judgestream.apps.judging.fleet_metrics import shown_in_metrics
from judgestream.apps.judging.jury import Jury
from judgestream.apps.judging.one_release import OneRelease, RequestsJudge, every_pair
from judgestream.apps.judging.priced import Ledger, PricedJudge
from judgestream.apps.judging.release_health import HealthStatus
from judgestream.apps.judging.routed import Opens
from judgestream.apps.worker.draining import drains_of
from judgestream.apps.worker.status import WorkerStatus
from judgestream.core.errors import ConfigurationError
from judgestream.core.fleet.server_list import parse_servers
from judgestream.core.jury import JuryRecord, is_jury
from judgestream.settings import Settings
from judgestream.template_files import template_of


async def open_fleet(
    settings: Settings, stack: AsyncExitStack, status: WorkerStatus | None = None
) -> Fleet:
    """The Triton servers of the settings, checked in the background until the stack closes. One fleet is
    enough for all releases of a process.

    Args:
        status: shows the servers on the board, and this process in its metrics.
    """
    fleet = Fleet(
        parse_servers(settings.triton.grpc),
        drains=drains_of(settings.redis, stack),
        tls=ClientTls.of(settings.triton, "triton"),
    )
    await stack.enter_async_context(fleet)
    if status is not None:
        stack.callback(shown_in_metrics(fleet.reports, fleet.calls))
        status.servers = fleet.reports
    return fleet


def opener(
    settings: Settings,
    ledger: Ledger,
    fleet: Fleet,
    swap_rate: Callable[[str], float] = every_pair,
) -> Opens:
    """Opens releases of these servers. `swap_rate` is that of `OneRelease`."""

    @asynccontextmanager
    async def opened(release: str, status: HealthStatus) -> AsyncIterator[RequestsJudge]:
        async with AsyncExitStack() as stack:
            judges = await connected(settings, release, stack, fleet=fleet)
            stack.callback(BUDGETS.show(judges, ledger.known))
            yield requests_judge(judges, settings, ledger, status, swap_rate)

    return opened


async def connected(
    settings: Settings, release: str, stack: AsyncExitStack, *, fleet: Fleet | None = None
) -> list[FleetJudge]:
    """This release, then the members if it is a jury. The stack closes them.

    Args:
        release: its name; "" for the only judge that is loaded.
        fleet: the servers; None opens them for this release alone.

    Raises:
        ReleaseNotLoaded: one of them is loaded on no server.
        JudgeUnavailable, ConfigurationError: no Triton, or a model is not one of our judges.
    """

    servers = fleet or await open_fleet(settings, stack)

    async def connect(name: str) -> FleetJudge:
        judge = await FleetJudge.connect(servers, name, deadline_s=settings.judging.deadline_s)
        stack.push_async_callback(judge.close)
        return judge

    first = await connect(release)
    if not is_jury(first.parameters):
        template_of(first.release)
        return [first]
    members = [await connect(one.release) for one in JuryRecord.of(first.parameters).members]
    for member in members:
        if is_jury(member.parameters):
            raise ConfigurationError(
                f"jury {first.release.name} has the jury {member.release.name} as a member: a jury's members"
                " are single releases"
            )
        template_of(member.release)
    return [first, *members]


def requests_judge(
    judges: Sequence[FleetJudge],
    settings: Settings,
    ledger: Ledger,
    status: HealthStatus,
    swap_rate: Callable[[str], float] = every_pair,
) -> RequestsJudge:
    """The judge of requests over these connections, which are those of `connected`. A jury judges every pair
    in both orders.

    Raises:
        ConfigurationError: a release has a budget, but no Redis is set to count in; or a jury's members are
            not those that it was made of.
    """
    first, *members = judges
    for judge in judges:
        if judge.terms.budget.set and not settings.redis.url.get_secret_value():
            raise ConfigurationError(
                f"release {judge.release.name} has a budget, and workers count what they spend in Redis: set"
                " JUDGESTREAM_REDIS__URL, or remove the budget with `judgestream release budget`"
            )
    if not members:
        return OneRelease(PricedJudge(first, ledger), settings.judging, status, swap_rate)
    shown = CombinedStatus(status)
    seats = [
        OneRelease(PricedJudge(one, ledger), settings.judging, shown.of(one.release.name))
        for one in members
    ]
    return Jury(first.release, JuryRecord.of(first.parameters), seats)
