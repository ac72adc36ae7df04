"""Reading a topic as a member of a consumer group, from plain, synchronous code: nothing is committed
before the caller says that what it read is safe."""

from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from google.protobuf.message import Message
from kafka import KafkaConsumer
from kafka.errors import KafkaError

from judgestream.adapters.kafka.connection import client_options
from judgestream.adapters.kafka.failures import broker_failed, no_broker, no_topic
from judgestream.adapters.kafka.reading import Incoming, incoming_of
from judgestream.contracts.topics import Topic
from judgestream.settings import Kafka

M = TypeVar("M", bound=Message)

POLL_RECORDS = 500
CALL_MS = 10_000


class GroupReader(Generic[M]):
    """A member of a group. Use as a context manager: leaving it leaves the group, so that nothing keeps the
    group waiting while the caller is busy for longer than a poll may take. Not for several threads.

    Every method raises BrokerUnavailable when the broker does not answer.
    """

    def __init__(self, settings: Kafka, topic: Topic, message: type[M], *, group: str) -> None:
        """Connect; the first `poll` joins.

        Raises:
            BrokerUnavailable: no broker answers.
            ConfigurationError: the topic is missing.
        """
        self._settings = settings
        self._topic = topic.name
        self._message = message
        try:
            self._consumer = KafkaConsumer(
                **client_options(settings),
                client_id=group,
                group_id=group,
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                session_timeout_ms=int(settings.session_timeout_s * 1000),
                max_poll_records=POLL_RECORDS,
                max_partition_fetch_bytes=8 << 20,
                bootstrap_timeout_ms=10_000,
                allow_auto_create_topics=False,
                metrics_enabled=False,
            )
        except (KafkaError, OSError, ValueError) as exc:
            raise no_broker(settings, exc) from exc
        try:
            if not self._call(lambda: self._consumer.partitions_for_topic(self._topic)):
                raise no_topic(self._topic)
            self._consumer.subscribe([self._topic])
        except BaseException:
            self.close()
            raise

    def poll(self, timeout_s: float) -> list[Incoming[M]]:
        """What has come since, in no order over partitions; [] when nothing does in time."""
        polled = self._call(lambda: self._consumer.poll(timeout_ms=int(timeout_s * 1000)))
        return [incoming_of(one, self._message) for batch in polled.values() for one in batch]

    def commit(self) -> None:
        """Everything that `poll` returned so far is safe: the group goes on behind it."""
        self._call(lambda: self._consumer.commit(timeout_ms=CALL_MS))

    def behind(self) -> int | None:
        """Records on this member's partitions that `poll` has not returned yet; None before it has any."""
        partitions = self._consumer.assignment()
        if not partitions:
            return None
        ends = self._call(
            lambda: self._consumer.end_offsets(sorted(partitions), timeout_ms=CALL_MS)
        )
        places = {
            tp: self._call(lambda tp=tp: self._consumer.position(tp, timeout_ms=CALL_MS))
            for tp in partitions
        }
        if any(place is None for place in places.values()):
            return None
        return sum(max(0, int(ends[tp]) - int(place)) for tp, place in places.items())

    def close(self) -> None:
        self._consumer.close(autocommit=False, timeout_ms=2000)

    def _call(self, action: Any) -> Any:
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
