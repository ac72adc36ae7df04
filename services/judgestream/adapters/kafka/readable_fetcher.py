"""kafka-python's fetcher, with every response made readable before it is parsed."""

import logging
from collections.abc import Iterator
from typing import Any, Self

from kafka import KafkaConsumer
from kafka.consumer.fetcher import Fetcher
from kafka.record import MemoryRecords

from judgestream.adapters.kafka.batches import readable

log = logging.getLogger(__name__)


class ReadableFetcher(Fetcher):  # type: ignore[misc]  # kafka-python ships no types
    """Replaces the fetcher of a new consumer: kafka-python has no argument for it."""

    @classmethod
    def take_over(cls, consumer: KafkaConsumer) -> Self:
        made = cls(
            consumer._client, consumer._subscription, metrics=consumer._metrics, **consumer.config
        )
        consumer._fetcher = made
        return made

    def _parse_fetched_data(self, completed_fetch: Any) -> Any:
        data = completed_fetch.partition_data
        if data.records:
            data.records = readable(
                bytes(data.records), position=completed_fetch.fetched_offset, offsets=_offsets
            )
        return super()._parse_fetched_data(completed_fetch)


def _offsets(piece: bytes) -> Iterator[int]:
    for record in MemoryRecords(piece).next_batch():
        record.validate_crc()
        yield record.offset
