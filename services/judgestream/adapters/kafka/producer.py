"""Asynchronous publishing: `publish` returns when delivery is confirmed."""

import asyncio
from collections.abc import Sequence

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    CorruptRecordException,
    InvalidTimestampError,
    KafkaError,
    MessageSizeTooLargeError,
    PolicyViolationError,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
)

from judgestream.adapters.kafka.connection import aiokafka_options
from judgestream.adapters.kafka.greeting import greet
from judgestream.adapters.kafka.refusals import RULES, identity
from judgestream.contracts.events import Header
from judgestream.core.errors import AccessDenied, BrokerUnavailable, InternalError, OversizeRecord
from judgestream.settings import Kafka

MAX_RECORD_BYTES = 8 << 20
REFUSED = (CorruptRecordException, InvalidTimestampError, PolicyViolationError)


class Publisher:
    """A worker's producer. `acks=all`, no idempotence: a record that is sent twice carries the same id."""

    def __init__(self, settings: Kafka, *, client_id: str) -> None:
        self._settings = settings
        self._producer = AIOKafkaProducer(
            **aiokafka_options(settings),
            client_id=client_id,
            acks="all",
            linger_ms=0,
            max_batch_size=262_144,
            max_request_size=MAX_RECORD_BYTES,
            request_timeout_ms=20_000,
        )

    async def start(self) -> None:
        """Raises: BrokerUnavailable."""
        await asyncio.to_thread(greet, self._settings)
        try:
            await self._producer.start()
        except (KafkaError, OSError) as exc:
            raise BrokerUnavailable(f"no Kafka broker answers: {exc}") from exc

    async def stop(self) -> None:
        await self._producer.stop()

    async def publish(
        self, topic: str, *, key: bytes | None, value: bytes, headers: Sequence[Header]
    ) -> None:
        """Send one record and wait until all in-sync replicas have it.

        Raises:
            OversizeRecord: the record exceeds the topic's size limit; a retry cannot help.
            InternalError: the broker refuses the record for another permanent reason.
            BrokerUnavailable: not confirmed; the record may have been stored all the same.
        """
        try:
            await self._producer.send_and_wait(topic, value, key=key, headers=list(headers))
        except (MessageSizeTooLargeError, RecordListTooLargeError) as exc:
            raise OversizeRecord(
                f"{len(value)} bytes exceed the size limit of topic {topic}"
            ) from exc
        except REFUSED as exc:
            raise InternalError(f"topic {topic} refuses the record: {exc}") from exc
        except TopicAuthorizationFailedError as exc:
            raise AccessDenied(
                f"{identity(self._settings)} may not publish to topic {topic}: grant Write on it ({RULES})"
            ) from exc
        except (KafkaError, OSError) as exc:
            raise BrokerUnavailable(f"topic {topic}: {type(exc).__name__}: {exc}") from exc
