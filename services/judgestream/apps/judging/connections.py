"""The servers that every judging worker is connected to: Triton, Kafka for its verdicts, and Redis."""

from contextlib import AsyncExitStack
from dataclasses import dataclass

from judgestream.adapters.kafka.producer import Publisher
from judgestream.adapters.redis.batch import Batch
from judgestream.adapters.redis.client import async_client
from judgestream.adapters.redis.published import Published
from judgestream.adapters.redis.spending import ADD, Spending
from judgestream.adapters.triton.fleet import Fleet
from judgestream.apps.judging.connecting import open_fleet
from judgestream.apps.worker.status import WorkerStatus
from judgestream.settings import Settings


@dataclass(frozen=True, kw_only=True, slots=True)
class Connections:
    """`batch` is None without a Redis; what is published and spent is then not remembered."""

    fleet: Fleet
    publisher: Publisher
    batch: Batch | None
    published: Published
    spending: Spending


async def open_connections(
    settings: Settings, stack: AsyncExitStack, status: WorkerStatus, *, memory: str
) -> Connections:
    """Connect; the stack closes everything.

    Args:
        memory: below the prefix of all keys, where published verdicts are remembered.
    """
    fleet = await open_fleet(settings, stack, status)
    publisher = Publisher(settings.kafka, client_id=f"judgestream-{status.kind}-{status.slot}")
    await publisher.start()
    stack.push_async_callback(publisher.stop)
    redis = async_client(settings.redis)
    batch = None if redis is None else Batch(redis, scripts=(ADD,))
    published = Published(
        batch,
        prefix=f"{settings.redis.prefix}:{memory}",
        ttl_s=settings.judging.published_ttl_s,
    )
    stack.push_async_callback(published.close)
    spending = Spending(batch, prefix=settings.redis.prefix)
    stack.push_async_callback(spending.close)
    return Connections(
        fleet=fleet, publisher=publisher, batch=batch, published=published, spending=spending
    )
