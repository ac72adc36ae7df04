"""The healers of the Tritons that the rollout service controls."""

import asyncio
from collections.abc import Callable
from time import time

from judgestream.adapters.redis.rollout_store import RolloutStore
from judgestream.adapters.tls.client import ClientTls
from judgestream.adapters.triton.fleet_control import FleetControl
from judgestream.adapters.triton.known_good import ask_known_good, members_of
from judgestream.apps.rollout.server_healing import ServerHealer
from judgestream.apps.worker.status import WorkerStatus


def server_healers(
    fleet: FleetControl,
    store: RolloutStore,
    status: WorkerStatus,
    *,
    deadline_s: float,
    tls: ClientTls,
) -> Callable[[str], ServerHealer]:
    """Makes the healer of a server, by its address."""

    def make(address: str) -> ServerHealer:
        async def members(release: str) -> tuple[str, ...]:
            return await members_of(address, release, deadline_s=deadline_s, tls=tls)

        async def probe(release: str) -> None:
            if not await members(release):  # the members of a jury are probed by themselves
                await ask_known_good(address, release, deadline_s=deadline_s, tls=tls)

        return ServerHealer(
            address,
            store=store,
            control=fleet.at(address),
            probe=probe,
            members=members,
            status=status,
            clock=time,
            sleep=asyncio.sleep,
        )

    return make
