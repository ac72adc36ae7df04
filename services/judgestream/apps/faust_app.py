"""The Faust shell that both workers share: one topic in, one prefix window, nothing lost."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import faust
import uvloop

from judgestream.adapters.kafka.connection import faust_options
from judgestream.adapters.kafka.lag import GroupLag
from judgestream.apps import logs, metrics
from judgestream.apps.readiness import Ready, nobody_waits
from judgestream.apps.watchdog import Movement, Watchdog
from judgestream.apps.window import Event, Window
from judgestream.contracts.records import Record
from judgestream.contracts.topics import Topic
from judgestream.settings import Settings

log = logging.getLogger(__name__)

Pause = Callable[[float], Awaitable[None]]


class App(faust.App):
    """A Faust app that tells its window when partitions are about to go, and opens what the worker needs.

    `opening` and `closing` run in the worker's own event loop, before the first and after the last record.
    """

    window: Window
    opening: Callable[[], Awaitable[None]]
    closing: Callable[[], Awaitable[None]]

    def on_rebalance_start(self) -> None:
        self.window.drain()
        super().on_rebalance_start()

    async def on_start(self) -> None:
        await self.opening()
        await super().on_start()

    async def on_stop(self) -> None:
        self.window.drain()
        await super().on_stop()
        await self.closing()

    def _create_directories(self) -> None:
        """None: Faust would leave a folder in the current directory, for tables that we do not have."""


def build(
    *,
    settings: Settings,
    group: str,
    slot: int,
    topic: Topic,
    inflight: int,
    outstanding: int,
    handle: Callable[[Record, Pause], Awaitable[None]],
    opening: Callable[[], Awaitable[None]],
    closing: Callable[[], Awaitable[None]],
    movement: Movement,
    ready: Ready = nobody_waits,
    wait_for_inflight: bool = True,
) -> App:
    """A Faust app that hands every record of `topic` to `handle`, many at a time.

    Args:
        slot: this worker's place in its group. A worker that comes back under its slot rejoins without a
            rebalance (static membership).
        ready: called whenever partitions have been assigned.
        wait_for_inflight: whether a rebalance waits for handlers that are at work.
    """
    app = App(
        group,
        **faust_options(settings.kafka),
        consumer_group_instance_id=f"{group}-{slot}",
        key_serializer="raw",
        value_serializer="raw",
        store="memory://",
        web_enabled=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
        stream_wait_empty=wait_for_inflight,
        stream_buffer_maxsize=settings.judging.buffer_records,
        broker_commit_interval=settings.judging.commit_interval_s,
        broker_commit_every=2000,
        broker_max_poll_records=500,
        broker_session_timeout=settings.kafka.session_timeout_s,
        broker_heartbeat_interval=min(3.0, settings.kafka.session_timeout_s / 6),
        broker_rebalance_timeout=settings.kafka.rebalance_timeout_s,
        broker_request_timeout=settings.kafka.session_timeout_s + 10.0,
        consumer_auto_offset_reset="earliest",
        consumer_metadata_max_age_ms=30_000,
        consumer_max_fetch_size=4 << 20,
        logging_config=logs.config(settings.worker.log_level),
        worker_redirect_stdouts=False,
    )

    async def work(event: Event, window: Window) -> None:
        async def pause(seconds: float) -> None:
            movement.moves += 1
            await window.pause(seconds)

        await handle(_record(event.message), pause)
        movement.moves += 1
        metrics.inflight.set(window.inflight)
        metrics.outstanding.set(window.outstanding)

    app.opening, app.closing = opening, closing
    app.window = window = Window(
        inflight=inflight,
        outstanding=outstanding,
        handle=work,
        crash=app.crash,
        forget=lambda message: app.consumer.unacked.discard(message),
    )

    @app.on_partitions_assigned.connect
    async def assigned(_: Any, /, *found: Any, **__: Any) -> None:
        window.resume()
        movement.assigned = frozenset((tp.topic, tp.partition) for tp in found[0])
        movement.moves += 1
        log.info("assigned: %s", sorted(movement.assigned))
        ready()

    @app.agent(app.topic(topic.name, key_type=bytes, value_type=bytes))
    async def take(stream: Any) -> None:
        async for event in stream.noack().events():
            movement.moves += 1
            await window.submit(event)

    return app


def run(app: App, *, settings: Settings, group: str, movement: Movement) -> int:
    """Run until SIGTERM or SIGINT. Returns the process's exit code."""
    metrics.serve(settings.worker.metrics_host, settings.worker.metrics_port)
    watchdog = Watchdog(
        movement,
        GroupLag(settings.kafka, group),
        stall_s=settings.worker.stall_s,
        startup_s=settings.worker.startup_s,
    )
    watchdog.start()
    worker = faust.Worker(
        app,
        loglevel=settings.worker.log_level,
        logging_config=logs.config(settings.worker.log_level),
        redirect_stdouts=False,
        loop=asyncio.get_event_loop(),
        quiet=True,
    )
    try:
        worker.execute_from_commandline()
    except SystemExit as exc:
        code = exc.code
        return code if isinstance(code, int) else int(code is not None)
    finally:
        watchdog.stop()
    return 0


def use_uvloop() -> None:
    """Set the loop that the app will run on: a fifth less CPU per record than asyncio's own (measured)."""
    uvloop.install()
    asyncio.set_event_loop(asyncio.new_event_loop())


def _record(message: Any) -> Record:
    return Record(
        topic=message.topic,
        partition=message.partition,
        offset=message.offset,
        time=datetime.fromtimestamp(message.timestamp, UTC),
        key=message.key,
        value=message.value,
        headers=_headers(message.headers),
    )


def _headers(headers: Any) -> tuple[tuple[str, bytes], ...]:
    if not headers:
        return ()
    pairs = headers.items() if hasattr(headers, "items") else headers
    return tuple((key, value) for key, value in pairs)
