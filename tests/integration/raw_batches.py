"""Record batches put on a topic byte by byte: through the broker where it takes them, else into its files."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from aiokafka.client import AIOKafkaClient
from aiokafka.protocol.produce import ProduceRequest

from judgestream.adapters.kafka.raw_batches import HEADER, batch
from judgestream.adapters.kafka.raw_records import RawRecord


@dataclass(frozen=True, kw_only=True, slots=True)
class Put:
    """Where a batch lies. `refused` is the broker's error code; 0 when it took the batch as it is."""

    topic: str
    partition: int
    offset: int
    raw: bytes
    refused: int


async def put(bootstrap: str, batches: Sequence[tuple[str, int, bytes]]) -> list[Put]:
    """Produce every (topic, partition, batch). For one that the broker refuses, a sound batch of the same
    size takes its place, for `write_over` to overwrite.
    """
    client = AIOKafkaClient(bootstrap_servers=bootstrap)
    await client.bootstrap()
    try:
        found: list[Put] = []
        for topic, partition, raw in batches:
            await client.ready(1)
            code, offset = await _produce(client, topic, partition, raw)
            if code:
                stand_in = _stand_in(len(raw))
                again, offset = await _produce(client, topic, partition, stand_in)
                assert again == 0, f"the broker refuses a sound batch: {again}"
            found.append(
                Put(topic=topic, partition=partition, offset=offset, raw=raw, refused=code)
            )
        return found
    finally:
        await client.close()


async def _produce(
    client: AIOKafkaClient, topic: str, partition: int, raw: bytes
) -> tuple[int, int]:
    request = ProduceRequest(None, -1, 20_000, [(topic, [(partition, raw)])])
    response = await client.send(1, request)
    ((_, ((_, code, offset, *_),)),) = response.topics
    return int(code), int(offset)


def _stand_in(size: int) -> bytes:
    """A sound batch of one record and of exactly this many bytes."""
    for headers in ((), ((b"h", b""),)):
        for less in range(0, 24):
            value = bytes(max(0, size - HEADER.size - less))
            made = batch([RawRecord(offset=0, timestamp=0, key=None, value=value, headers=headers)])
            if len(made) == size:
                return made
    raise ValueError(f"no batch of one record has {size} bytes")


def write_over(kafka_folder: Path, puts: Sequence[Put]) -> None:
    """Overwrite the stand-ins in the segment files of a stopped broker; it does not look at them again."""
    for one in puts:
        if not one.refused:
            continue
        (segment,) = kafka_folder.rglob(f"{one.topic}-{one.partition}/00000000000000000000.log")
        data = bytearray(segment.read_bytes())
        at = _place(data, one.offset)
        data[at : at + len(one.raw)] = one.raw[:0] + struct.pack(">q", one.offset) + one.raw[8:]
        segment.write_bytes(data)


def _place(data: bytes | bytearray, offset: int) -> int:
    at = 0
    while at < len(data):
        base, size = struct.unpack_from(">qi", data, at)
        if base == offset:
            return at
        at += 12 + size
    raise ValueError(f"offset {offset} is not in the segment")
