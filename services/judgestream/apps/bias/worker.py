"""The bias worker: `judge.verdicts.v1` in, one growing report per release and window out.

The counters are in Redis, where all workers add to the same windows and a redelivered verdict counts once.
While Redis is unavailable nothing is counted and nothing is committed: the verdicts wait in Kafka.
"""

import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import timedelta
from functools import partial

from judgestream.adapters.kafka.lag import GroupLag
from judgestream.adapters.kafka.producer import Publisher
from judgestream.adapters.preflight import check_kafka
from judgestream.adapters.redis.alarm_states import AlarmStates
from judgestream.adapters.redis.batch import Batch
from judgestream.adapters.redis.bias_store import BiasStore, scripts
from judgestream.adapters.redis.client import async_client
from judgestream.adapters.webhook import Webhook
from judgestream.apps.bias.alarms import AlarmWatch, load_policy
from judgestream.apps.bias.counting import VerdictCounter
from judgestream.apps.bias.progress import WatermarkKeeper
from judgestream.apps.bias.reporting import ReportPublisher
from judgestream.apps.worker import faust_app, metrics
from judgestream.apps.worker.backlog import place_group
from judgestream.apps.worker.board_keeper import on_board, redis_check
from judgestream.apps.worker.endpoints import serve_health
from judgestream.apps.worker.faust_app import Background, OpenWorker, WorkerSpec
from judgestream.apps.worker.readiness import Ready, ignore_ready
from judgestream.apps.worker.setting_aside import SetAside
from judgestream.apps.worker.status import WorkerStatus
from judgestream.contracts.topics import ALARMS, BIAS, DEAD_LETTERS, VERDICTS
from judgestream.core.errors import ConfigurationError, StoreUnavailable
from judgestream.evaluation.alarms.policy import AlarmPolicy
from judgestream.settings import Settings

log = logging.getLogger(__name__)

NO_REDIS = "the bias worker counts in Redis: set JUDGESTREAM_REDIS__URL"


def main(settings: Settings, slot: int, ready: Ready = ignore_ready) -> int:
    """Check everything, then run until stopped. Returns the exit code.

    Raises:
        JudgestreamError: something is missing; the message says what, and how to fix it.
    """
    if not settings.redis.url.get_secret_value():
        raise ConfigurationError(NO_REDIS)
    policy = load_policy(settings.bias.alarms)
    status = WorkerStatus(kind="bias", slot=slot, group=settings.bias.group)
    with on_board(settings.redis, status):
        health = serve_health(settings.worker, status)
        check_kafka(
            settings.kafka,
            group=settings.bias.group,
            topics=(VERDICTS, BIAS, ALARMS, DEAD_LETTERS),
        )
        new = place_group(settings.kafka, consumer=settings.bias, topic=VERDICTS)
        spec = WorkerSpec(
            settings=settings,
            consumer=settings.bias,
            slot=slot,
            topic=VERDICTS,
            open=partial(_opened, settings, slot, status, policy, new),
            status=status,
            ready=ready,
            health=health,
        )
        return faust_app.run(spec)


@asynccontextmanager
async def _opened(
    settings: Settings, slot: int, status: WorkerStatus, policy: AlarmPolicy, new: bool
) -> AsyncIterator[OpenWorker]:
    """The worker with its connections: Redis and the producer. `new`: its group has read nothing yet."""
    async with AsyncExitStack() as stack:
        redis = async_client(settings.redis)
        if redis is None:
            raise ConfigurationError(NO_REDIS)
        batch = Batch(redis, scripts=scripts())
        stack.push_async_callback(batch.close)
        store = BiasStore(
            batch,
            prefix=settings.redis.prefix,
            lateness=timedelta(seconds=settings.bias.lateness_s),
            retention=timedelta(seconds=settings.bias.retention_s),
        )
        if not new:
            await _check_counters(store, settings.bias.group)
        publisher = Publisher(settings.kafka, client_id=f"judgestream-bias-{slot}")
        await publisher.start()
        stack.push_async_callback(publisher.stop)
        background: dict[str, Background] = {}
        webhook = None
        if url := settings.bias.webhook.get_secret_value():
            webhook = await stack.enter_async_context(Webhook(url, on_outcome=_note_webhook))
            background["alarm webhook"] = webhook.run
        states = AlarmStates(
            batch,
            prefix=settings.redis.prefix,
            retention=timedelta(seconds=settings.bias.retention_s),
        )
        alarms = AlarmWatch(
            states, publisher, policy, hop=timedelta(seconds=settings.bias.hop), webhook=webhook
        )
        counter = VerdictCounter(store, settings.bias, status)
        lag = GroupLag(settings.kafka, settings.bias.group)
        watermark = WatermarkKeeper(store, partial(lag.by_partition, VERDICTS), settings.bias)
        reports = ReportPublisher(store, publisher, watermark, alarms, settings.bias)
        background["bias report"] = reports.run
        yield OpenWorker(
            handle=counter.handle,
            aside=SetAside(publisher, group=settings.bias.group, status=status),
            background=background,
            ready=[partial(redis_check, status, needed=True)],
        )


async def _check_counters(store: BiasStore, group: str) -> None:
    """Say so where Redis has lost what the group has counted."""
    with suppress(StoreUnavailable):
        if not (await store.progress()).seen:
            log.warning(
                "Redis holds no bias counts, although group %s has read verdicts: count them again with"
                " `judgestream bias rebuild`",
                group,
            )


def _note_webhook(outcome: str) -> None:
    metrics.alarm_webhook.labels(outcome).inc()
