"""The base of all synchronous readers: one topic behind kafka-python's consumer."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Self, TypeVar

from google.protobuf.message import Message
from kafka import KafkaConsumer
from kafka.errors import KafkaError

from judgestream.adapters.kafka.connection import client_options
from judgestream.adapters.kafka.failures import broker_failed, no_broker, no_topic
from judgestream.adapters.kafka.greeting import greet
from judgestream.adapters.kafka.readable_fetcher import ReadableFetcher
from judgestream.adapters.kafka.record_time import record_time
from judgestream.adapters.kafka.unreadable import unreadable
from judgestream.contracts.events import header
from judgestream.contracts.records import Record
from judgestream.contracts.topics import Topic
from judgestream.contracts.wire import decode
from judgestream.core.errors import UndecodableRecord
from judgestream.settings import Kafka

M = TypeVar("M", bound=Message)

CALL_MS = 10_000
CLOSE_MS = 2000
METADATA_MS = 30_000
"""A reader learns after this time at most that a topic has more partitions."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Incoming(Generic[M]):
    """One record with its message, or with the reason why it has none."""

    record: Record
    message: M | UndecodableRecord


class Reader(Generic[M]):
    """A reader of one topic. Not thread-safe.

    Every method raises BrokerUnavailable when the broker does not answer.
    """

    def __init__(
        self, settings: Kafka, topic: Topic, message: type[M], options: Mapping[str, Any]
    ) -> None:
        """Connect. `options` of the consumer are added to the common ones.

        Raises:
            BrokerUnavailable: no broker answers, or it refuses us; the message names the setting.
            ConfigurationError: the topic is missing.
        """
        if topic.record is not message:
            raise TypeError(f"{topic.name} holds {topic.record.__name__}, not {message.__name__}")
        self._settings = settings
        self._topic = topic.name
        self._message = message
        self._group = str(options.get("group_id") or "")
        greet(settings)
        try:
            self._consumer = KafkaConsumer(
                **client_options(settings),
                enable_auto_commit=False,
                auto_offset_reset="earliest",  # where retention has deleted the next records
                isolation_level="read_committed",
                max_partition_fetch_bytes=8 << 20,
                bootstrap_timeout_ms=int(settings.connect_timeout_s * 1000),
                allow_auto_create_topics=False,
                metrics_enabled=False,
                metadata_max_age_ms=METADATA_MS,
                **options,
            )
        except (KafkaError, OSError, ValueError) as exc:
            raise no_broker(settings, exc) from exc
        ReadableFetcher.take_over(self._consumer)
        try:
            self._numbers = sorted(
                self._call(lambda: self._consumer.partitions_for_topic(self._topic)) or ()
            )
            if not self._numbers:
                raise no_topic(self._topic)
        except BaseException:
            self.close()
            raise

    def poll(self, timeout_s: float) -> list[Incoming[M]]:
        """New records, in order within partitions; [] when none comes in time."""
        polled = self._call(lambda: self._consumer.poll(timeout_ms=int(timeout_s * 1000)))
        return [self._incoming(raw) for batch in polled.values() for raw in batch]

    def close(self) -> None:
        self._consumer.close(autocommit=False, timeout_ms=CLOSE_MS)

    def _call(self, action: Callable[[], Any]) -> Any:
        try:
            return action()
        except (KafkaError, OSError) as exc:
            raise broker_failed(self._settings, self._topic, exc, group=self._group) from exc

    def _incoming(self, raw: Any) -> Incoming[M]:
        """A kafka-python record, decoded."""
        record = Record(
            topic=raw.topic,
            partition=raw.partition,
            offset=raw.offset,
            time=record_time(raw.timestamp),
            key=raw.key,
            value=raw.value,
            headers=tuple(raw.headers or ()),
        )
        decoded: M | UndecodableRecord
        damage = unreadable(record.headers)
        if damage is not None:
            return Incoming(record=record, message=UndecodableRecord(str(damage)))
        try:
            content_type = header(record.headers, "content-type")
            decoded = decode(self._message, record.value, content_type)
        except UndecodableRecord as exc:
            decoded = exc
        return Incoming(record=record, message=decoded)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
