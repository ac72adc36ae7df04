"""The servers that the rollout service is connected to: Redis, every Triton, and Kafka."""

from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial

from judgestream.adapters.kafka.producer import Publisher
from judgestream.adapters.kafka.rollout_topic import RolloutReader
from judgestream.adapters.redis.rollout_store import RolloutStore
from judgestream.adapters.redis.worker_board import WorkerBoard
from judgestream.adapters.tls.client import ClientTls
from judgestream.adapters.triton.fleet import Drains
from judgestream.adapters.triton.fleet_control import FleetControl
from judgestream.apps.rollout.checkpoints import CheckpointFeed
from judgestream.apps.rollout.log import RolloutLog
from judgestream.apps.worker.draining import drains_of
from judgestream.core.errors import ConfigurationError
from judgestream.settings import Settings


@dataclass(frozen=True, kw_only=True, slots=True)
class Connections:
    """`store` has the history of reloads. It, the board and the lease each have their own connection: several
    threads use them. `tls` is that of every call to a Triton."""

    store: RolloutStore
    board: WorkerBoard
    lease: RolloutStore
    drains: Drains
    tls: ClientTls
    fleet: FleetControl
    journal: RolloutLog
    feed: CheckpointFeed


async def open_connections(
    settings: Settings, stack: AsyncExitStack, *, slot: int, instance: str
) -> Connections:
    """Connect; the stack closes everything.

    Raises:
        ConfigurationError: there is no Redis.
    """
    store, board, lease = _stores(settings, stack)
    triton = settings.triton
    drains, tls = drains_of(settings.redis, stack), ClientTls.of(triton, "triton")
    fleet = await stack.enter_async_context(
        FleetControl(
            triton.grpc,
            triton.control_key,
            metrics_port=triton.metrics_port,
            drains=drains,
            tls=tls,
        )
    )
    publisher = Publisher(settings.kafka, client_id=f"judgestream-rollout-{slot}")
    await publisher.start()
    stack.push_async_callback(publisher.stop)
    journal = RolloutLog(partial(RolloutReader, settings.kafka), publisher, instance=instance)
    stack.push_async_callback(journal.stop)
    await journal.start()
    feed = CheckpointFeed(settings.kafka, journal.notify)
    stack.push_async_callback(feed.stop)
    await feed.start()
    return Connections(
        store=store,
        board=board,
        lease=lease,
        drains=drains,
        tls=tls,
        fleet=fleet,
        journal=journal,
        feed=feed,
    )


def _stores(
    settings: Settings, stack: AsyncExitStack
) -> tuple[RolloutStore, WorkerBoard, RolloutStore]:
    """The history of reloads, the worker board and the lease, each with its own connection: several threads
    use them."""
    store, board = RolloutStore.connect(settings.redis), WorkerBoard.connect(settings.redis)
    lease = RolloutStore.connect(settings.redis)
    if store is None or board is None or lease is None:
        raise ConfigurationError(
            "the rollout service needs Redis for its lease: set JUDGESTREAM_REDIS__URL, or run no rollout"
            " service: workers then use triton.release, and releases are loaded by hand (`judgestream release"
            " load`)"
        )
    for one in (store, board, lease):
        stack.enter_context(one)
    return store, board, lease
