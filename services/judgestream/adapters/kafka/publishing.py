"""Synchronous publishing with confirmed delivery: requests, labels, replayed dead letters."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

from kafka import KafkaProducer
from kafka.errors import KafkaError, KafkaTimeoutError, MessageSizeTooLargeError

from judgestream.adapters.kafka.connection import client_options
from judgestream.adapters.kafka.failures import broker_failed, no_broker, no_topic
from judgestream.adapters.kafka.greeting import greet
from judgestream.contracts.events import PROTOBUF, Header
from judgestream.contracts.outgoing import Outgoing
from judgestream.contracts.published import label_record, request_record
from judgestream.core.errors import OversizeRecord
from judgestream.core.limits import quoted
from judgestream.core.types import Label, Request
from judgestream.settings import Kafka

MAX_RECORD_BYTES = 8 << 20
MAX_WAITING_RECORDS = 10_000
MAX_WAITING_BYTES = 32 << 20
"""Bounds on unconfirmed records, because kafka-python's own buffer has none."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    what: str
    topic: str
    size: int
    future: Any  # kafka-python ships no types: FutureRecordMetadata


class RecordPublisher:
    """Sends records and confirms them. `send` may return before the broker has a record, `flush` does not.

    `acks=all`. Not thread-safe.
    """

    def __init__(
        self, settings: Kafka, *, client_id: str = "judgestream-client", timeout_s: float = 30.0
    ) -> None:
        """Connect.

        Args:
            timeout_s: how long the broker may take to confirm one record.

        Raises:
            BrokerUnavailable: no broker answers, or it refuses us; the message names the setting.
        """
        self._settings = settings
        self._timeout_s = timeout_s
        self._known: set[str] = set()
        self._waiting: deque[_Waiting] = deque()
        self._waiting_bytes = 0
        self.confirmed = 0
        """Records that all in-sync replicas have so far."""
        greet(settings)
        try:
            self._producer = KafkaProducer(
                **client_options(settings),
                client_id=client_id,
                acks="all",
                linger_ms=5,
                batch_size=256 << 10,
                max_request_size=MAX_RECORD_BYTES,
                request_timeout_ms=int(timeout_s * 1000) // 2,
                delivery_timeout_ms=int(timeout_s * 1000),
                max_block_ms=int(settings.connect_timeout_s * 1000),
                bootstrap_timeout_ms=int(settings.connect_timeout_s * 1000),
                allow_auto_create_topics=False,
                metrics_enabled=False,
            )
        except (KafkaError, OSError, ValueError) as exc:
            raise no_broker(settings, exc) from exc

    def send(
        self,
        topic: str,
        *,
        key: bytes | None,
        value: bytes | None,
        headers: Sequence[Header],
        what: str = "record",
    ) -> None:
        """Send one record. Waits while too many are unconfirmed.

        Args:
            what: its name in error messages, such as "request 'r1'".

        Raises:
            ConfigurationError: the topic is missing.
            OversizeRecord: larger than any of our topics allows.
            BrokerUnavailable: this record or an earlier one was not confirmed.
        """
        size = len(key or b"") + len(value or b"")
        self._make_room(size)
        self._check_topic(topic)
        try:
            future = self._producer.send(topic, value=value, key=key, headers=list(headers))
        except MessageSizeTooLargeError as exc:
            raise OversizeRecord(
                f"{what}: {size} bytes exceed the size limit of topic {topic}"
            ) from exc
        except KafkaError as exc:
            raise broker_failed(self._settings, topic, exc) from exc
        self._waiting.append(_Waiting(what, topic, size, future))
        self._waiting_bytes += size

    def send_record(self, record: Outgoing, *, what: str) -> None:
        """Send an `Outgoing` record. Raises as `send` does."""
        self.send(
            record.topic, key=record.key, value=record.value, headers=record.headers, what=what
        )

    def flush(self) -> int:
        """Wait until every record is confirmed. Returns the number of confirmed records since the start.

        Raises:
            OversizeRecord: a record exceeds the size limit of its topic.
            BrokerUnavailable: a record was not confirmed; it may have been stored all the same.
        """
        while self._waiting:
            self._confirm_oldest()
        return self.confirmed

    def close(self) -> None:
        """Flush, then disconnect. Raises as `flush` does, after disconnecting."""
        try:
            self.flush()
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Disconnect without waiting."""
        self._waiting.clear()
        try:
            self._producer.close(timeout=1.0)
        except KafkaTimeoutError:
            self._producer.close(timeout=0)

    def _check_topic(self, topic: str) -> None:
        if topic in self._known:
            return
        try:
            partitions = self._producer.partitions_for(topic)
        except KafkaTimeoutError as exc:  # how kafka-python reports a missing topic
            raise no_topic(topic) from exc
        except KafkaError as exc:
            raise broker_failed(self._settings, topic, exc) from exc
        if not partitions:
            raise no_topic(topic)
        self._known.add(topic)

    def _make_room(self, size: int) -> None:
        while self._waiting and self._waiting[0].future.is_done:
            self._confirm_oldest()
        while self._waiting and (
            len(self._waiting) >= MAX_WAITING_RECORDS
            or self._waiting_bytes + size > MAX_WAITING_BYTES
        ):
            self._confirm_oldest()

    def _confirm_oldest(self) -> None:
        oldest = self._waiting.popleft()
        self._waiting_bytes -= oldest.size
        try:
            oldest.future.get(timeout=self._timeout_s + 5.0)
        except MessageSizeTooLargeError as exc:
            raise OversizeRecord(
                f"{oldest.what}: {oldest.size} bytes exceed the size limit of topic {oldest.topic}"
            ) from exc
        except KafkaError as exc:
            failure = broker_failed(self._settings, oldest.topic, exc)
            raise type(failure)(f"{oldest.what} was not confirmed: {failure}") from exc
        self.confirmed += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.close()
        else:
            self.abandon()


class RequestPublisher(RecordPublisher):
    """Requests and labels, keyed by request id, with CloudEvents headers.

    Sends no record that a worker would refuse. Not idempotent by itself: a request that is sent twice has the
    same id and content, so it is judged once.
    """

    def submit(
        self, request: Request, *, content_type: str = PROTOBUF, trace: Sequence[Header] = ()
    ) -> None:
        """Send one request; `flush` confirms it. Raises as `request_record` and `send` do."""
        record = request_record(request, content_type=content_type, trace=trace)
        self.send_record(record, what=f"request {quoted(request.request_id)}")

    def label(self, label: Label, *, content_type: str = PROTOBUF) -> None:
        """Send one label; `flush` confirms it. Raises as `label_record` and `send` do."""
        record = label_record(label, now=datetime.now(UTC), content_type=content_type)
        self.send_record(record, what=f"label {quoted(label.label_id)}")
