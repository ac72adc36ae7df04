"""Reading a topic from plain, synchronous code: all partitions, no group, nothing committed."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from google.protobuf.message import Message
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from judgestream.adapters.kafka.connection import client_options
from judgestream.adapters.kafka.failures import broker_failed, no_broker, no_topic
from judgestream.contracts.events import header
from judgestream.contracts.records import Record
from judgestream.contracts.topics import Topic
from judgestream.contracts.wire import decode
from judgestream.core.errors import UndecodableRecord
from judgestream.settings import Kafka

M = TypeVar("M", bound=Message)

Offsets = Mapping[int, int]
"""Partition -> offset of the next record to read."""

POLL_S = 0.5
QUIET_S = 10.0
"""After this long without a record the broker is asked whether it is still there."""
CALL_MS = 10_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Incoming(Generic[M]):
    """One record, and its message or why it has none."""

    record: Record
    message: M | UndecodableRecord


def incoming_of(raw: Any, message: type[M]) -> Incoming[M]:
    """A kafka-python record, decoded."""
    record = Record(
        topic=raw.topic,
        partition=raw.partition,
        offset=raw.offset,
        time=datetime.fromtimestamp(raw.timestamp / 1000, UTC),
        key=raw.key,
        value=raw.value,
        headers=tuple((key, value or b"") for key, value in raw.headers or ()),
    )
    decoded: M | UndecodableRecord
    try:
        decoded = decode(message, record.value, header(record.headers, "content-type"))
    except UndecodableRecord as exc:
        decoded = exc
    return Incoming(record=record, message=decoded)


class TopicReader(Generic[M]):
    """One topic of the table. Use as a context manager; not for use by several threads.

    Every method raises BrokerUnavailable when the broker does not answer.
    """

    def __init__(
        self,
        settings: Kafka,
        topic: Topic,
        message: type[M],
        *,
        client_id: str = "judgestream-client",
    ) -> None:
        """Connect.

        Args:
            message: the topic's message, as the table has it.

        Raises:
            BrokerUnavailable: no broker answers; the message names the setting.
            ConfigurationError: the topic is missing.
        """
        if topic.record is not message:
            raise TypeError(f"{topic.name} holds {topic.record.__name__}, not {message.__name__}")
        self._settings = settings
        self._topic = topic.name
        self._message = message
        try:
            self._consumer = KafkaConsumer(
                **client_options(settings),
                client_id=client_id,
                group_id=None,
                enable_auto_commit=False,
                auto_offset_reset="earliest",  # retention may overtake us: go on with what is left
                fetch_max_wait_ms=100,
                max_partition_fetch_bytes=8 << 20,
                max_poll_records=1000,
                bootstrap_timeout_ms=10_000,
                allow_auto_create_topics=False,
                metrics_enabled=False,
            )
        except (KafkaError, OSError, ValueError) as exc:
            raise no_broker(settings, exc) from exc
        try:
            found = self._call(lambda: self._consumer.partitions_for_topic(self._topic))
            if not found:
                raise no_topic(self._topic)
        except BaseException:
            self.close()
            raise
        self._partitions = [TopicPartition(self._topic, number) for number in sorted(found)]
        self._assigned = False

    def beginning(self) -> Offsets:
        """Where the oldest records are."""
        return self._numbered(
            self._call(
                lambda: self._consumer.beginning_offsets(self._partitions, timeout_ms=CALL_MS)
            )
        )

    def end(self) -> Offsets:
        """Where the next records will be."""
        return self._numbered(
            self._call(lambda: self._consumer.end_offsets(self._partitions, timeout_ms=CALL_MS))
        )

    def since(self, time: datetime) -> Offsets:
        """Where the first records are whose Kafka timestamp is not before `time` (which has a zone)."""
        stamp = max(0, int(time.timestamp() * 1000))
        wanted = dict.fromkeys(self._partitions, stamp)
        found = self._call(lambda: self._consumer.offsets_for_times(wanted, timeout_ms=CALL_MS))
        ends = self.end()
        return {
            tp.partition: at.offset if (at := found.get(tp)) is not None else ends[tp.partition]
            for tp in self._partitions
        }

    def seek(self, start: Offsets) -> None:
        """Go on reading from here. A partition that `start` lacks is read from its beginning."""
        if not self._assigned:
            self._consumer.assign(self._partitions)
            self._assigned = True
        for tp in self._partitions:
            if tp.partition in start:
                self._consumer.seek(tp, start[tp.partition])
            else:
                self._consumer.seek_to_beginning(tp)

    def position(self) -> Offsets:
        """Where the next `poll` goes on. After `seek` only."""
        return {tp.partition: self._position(tp) for tp in self._partitions}

    def poll(self, timeout_s: float = POLL_S) -> list[Incoming[M]]:
        """What has come since, oldest first; [] when nothing does in time. Begins where `seek` said."""
        polled = self._call(lambda: self._consumer.poll(timeout_ms=int(timeout_s * 1000)))
        records = [incoming_of(one, self._message) for batch in polled.values() for one in batch]
        return sorted(records, key=lambda incoming: incoming.record.time)

    def read(
        self,
        start: Offsets,
        *,
        until: Offsets | None = None,
        deadline_s: float | None = None,
    ) -> Iterator[Incoming[M]]:
        """Records from `start` on; for ever, without the bounds.

        Args:
            until: stop before these offsets; `end()` gives "all that there is now".
            deadline_s: stop this many seconds from now, whatever has come.

        A record that is no message of the topic is yielded with its problem, and the reading goes on.
        """
        self.seek(start)
        deadline = None if deadline_s is None else monotonic() + deadline_s
        heard = monotonic()
        while not self._reached(until):
            left = POLL_S if deadline is None else min(POLL_S, deadline - monotonic())
            if left <= 0:
                return
            batch = self.poll(left)
            if batch:
                heard = monotonic()
            elif monotonic() - heard > QUIET_S:
                self.end()  # raises when the broker is gone: poll itself would stay silent for ever
                heard = monotonic()
            for incoming in batch:
                record = incoming.record
                if until is None or record.offset < until.get(record.partition, 0):
                    yield incoming

    def close(self) -> None:
        self._consumer.close(autocommit=False, timeout_ms=1000)

    def _reached(self, until: Offsets | None) -> bool:
        """Whether nothing before `until` is left to read. Goes by the position: offsets have gaps."""
        if until is None:
            return False
        for tp in self._partitions:
            wanted = until.get(tp.partition, 0)
            if wanted and self._position(tp) < wanted:
                return False
        return True

    def _position(self, tp: TopicPartition) -> int:
        position = self._call(lambda: self._consumer.position(tp, timeout_ms=CALL_MS))
        return -1 if position is None else int(position)

    def _numbered(self, offsets: Mapping[Any, int]) -> Offsets:
        return {tp.partition: offset for tp, offset in offsets.items()}

    def _call(self, action: Callable[[], Any]) -> Any:
        try:
            return action()
        except (KafkaError, OSError) as exc:
            raise broker_failed(self._settings, self._topic, exc) from exc

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
