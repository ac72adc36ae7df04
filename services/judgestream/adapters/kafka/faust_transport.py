"""Faust's Kafka transport, reading committed records only, through `batches.readable`.

Faust sets its consumer's isolation level itself, and an exception of aiokafka's fetcher ends the worker. So
the consumer is created here, and the responses to its fetch requests are made readable before aiokafka
decodes them.
"""

import logging
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import aiokafka
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.errors import for_code
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.record.memory_records import MemoryRecords
from faust.transport.consumer import ensure_TP
from faust.transport.drivers import aiokafka as driver
from mode import Service

from judgestream.adapters.kafka.batches import readable
from judgestream.adapters.kafka.connection import aiokafka_options
from judgestream.adapters.kafka.waiting_client import Refused, WaitingClient
from judgestream.settings import Kafka

log = logging.getLogger(__name__)

Trouble = Callable[[str, int, int, str], None]
"""Called with topic, partition, offset and error when the broker cannot serve a partition."""

FETCH_WAIT_MS = 1500
"""The broker answers a fetch after this time if there is nothing new."""

COLLECT_MS = 500
"""The same of a worker whose fetches are collected: so much later it sees a record."""

COMMIT_ENDS_S = 2.0

RECOVERABLE = {0, 1, 3, 5, 6, 9, 74, 75, 76, 78}
"""Error codes that aiokafka handles: a new leader, new metadata, an offset that retention deleted."""


class ReadableClient:
    """An aiokafka client whose fetched batches never raise. Everything else is delegated."""

    def __init__(self, client: Any, trouble: Trouble) -> None:
        self._client = client
        self._trouble = trouble

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    async def send(self, node_id: Any, request: Any, **options: Any) -> Any:
        response = await self._client.send(node_id, request, **options)
        if isinstance(request, FetchRequest):
            positions = {
                (topic, partition): offset
                for topic, partitions in request.topics
                for partition, offset, _ in partitions
            }
            response.topics = [
                (topic, [self._partition(topic, answer, positions) for answer in partitions])
                for topic, partitions in response.topics
            ]
        return response

    def _partition(
        self, topic: str, answer: tuple[Any, ...], positions: dict[tuple[str, int], int]
    ) -> tuple[Any, ...]:
        number, code, raw = answer[0], answer[1], answer[-1]
        position = positions.get((topic, number), 0)
        if code not in RECOVERABLE:
            self._trouble(topic, number, position, for_code(code).__name__)
        if not raw:
            return answer
        safe = readable(bytes(raw), position=position, offsets=_offsets)
        if not safe:
            self._trouble(topic, number, position, "IncompleteBatch")
        return (*answer[:-1], safe)


def _offsets(piece: bytes) -> Iterator[int]:
    for record in MemoryRecords(piece).next_batch():
        yield record.offset


class ConsumerThread(driver.AIOKafkaConsumerThread):
    def __post_init__(self) -> None:
        super().__post_init__()
        self.handed_on: dict[Any, int] = {}

    def _create_worker_consumer(self, transport: Any) -> aiokafka.AIOKafkaConsumer:
        conf = self.app.conf
        consumer = aiokafka.AIOKafkaConsumer(
            **aiokafka_options(transport.settings),
            client_id=conf.broker_client_id,
            group_id=conf.id,
            group_instance_id=conf.consumer_group_instance_id,
            partition_assignment_strategy=[RoundRobinPartitionAssignor],
            enable_auto_commit=False,
            auto_offset_reset=conf.consumer_auto_offset_reset,
            isolation_level="read_committed",
            max_poll_records=conf.broker_max_poll_records,
            max_poll_interval_ms=int((conf.broker_max_poll_interval or 0) * 1000),
            max_partition_fetch_bytes=conf.consumer_max_fetch_size,
            fetch_min_bytes=transport.fetch_bytes,
            fetch_max_wait_ms=FETCH_WAIT_MS if transport.fetch_bytes == 1 else COLLECT_MS,
            request_timeout_ms=int(conf.broker_request_timeout * 1000),
            session_timeout_ms=int(conf.broker_session_timeout * 1000),
            rebalance_timeout_ms=int(conf.broker_rebalance_timeout * 1000),
            heartbeat_interval_ms=int(conf.broker_heartbeat_interval * 1000),
            metadata_max_age_ms=conf.consumer_metadata_max_age_ms,
            connections_max_idle_ms=conf.consumer_connections_max_idle_ms,
        )
        waiting = WaitingClient(consumer._client, transport.settings, conf.id, transport.refused)
        consumer._client = ReadableClient(waiting, transport.trouble)
        return consumer

    async def _fetch_records(self, *args: Any, **kwargs: Any) -> Any:
        records = await super()._fetch_records(*args, **kwargs)
        for tp, batch in records.items():
            if batch:
                self.handed_on[tp] = batch[-1].offset
        return records

    async def places(self) -> dict[Any, tuple[int, int]]:
        """Per partition: the offset of the next record to fetch, and of the last one handed on (-1: none).

        Runs in the consumer's thread, so that the two are consistent.
        """
        places: dict[Any, tuple[int, int]] = {}
        subscription = self._ensure_consumer()._subscription.subscription
        if subscription is None or subscription.assignment is None:
            return places
        for tp in subscription.assignment.tps:
            state = subscription.assignment.state_value(tp)
            if state is not None and state.has_valid_position:
                places[tp] = (int(state.position), self.handed_on.get(tp, -1))
        return places


class Consumer(driver.Consumer):
    """Also commits past the end of a partition that holds no records: transaction markers, and the records of
    aborted transactions. Without this the group would keep a lag forever, with nothing left to read.
    """

    _thread: ConsumerThread

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    @Service.task
    async def _commit_ends(self) -> None:
        async for _ in self.itertimer(COMMIT_ENDS_S, name="commit_ends"):
            if self.app.rebalancing or not self.flow_active:
                continue
            places = await self._thread.call_thread(self._thread.places)
            ends: dict[Any, int] = {}
            for tp, (position, handed_on) in places.items():
                committed = self._committed_offset.get(tp) or 0
                if handed_on < committed < position or (handed_on < 0 < position and not committed):
                    ends[ensure_TP(tp)] = position
            if ends and not self.app.rebalancing and await self._commit(ends):
                self._committed_offset.update(ends)


class Transport(driver.Transport):
    """Created by the app, with the Kafka settings and callbacks for `Trouble` and for missing rights.

    fetch_bytes   the broker answers a fetch when it has as many, or after `COLLECT_MS`; with 1, at once
    """

    Consumer: ClassVar[type[Consumer]] = Consumer

    def __init__(
        self,
        url: Any,
        app: Any,
        *,
        settings: Kafka,
        trouble: Trouble,
        refused: Refused,
        fetch_bytes: int = 1,
    ) -> None:
        super().__init__(url, app)
        self.settings = settings
        self.trouble = trouble
        self.refused = refused
        self.fetch_bytes = fetch_bytes
