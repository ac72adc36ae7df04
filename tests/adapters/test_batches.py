"""Both clients read damaged responses to the end, and lose no valid record."""

import gzip
import struct
import zlib
from collections.abc import Callable
from datetime import UTC, datetime

import aiokafka.record.memory_records as aio
import kafka.record
import lz4.frame
import pytest
import snappy
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from judgestream.adapters.kafka import decompression
from judgestream.adapters.kafka.batches import readable
from judgestream.adapters.kafka.faults import Fault
from judgestream.adapters.kafka.raw_batches import HEADER, batch
from judgestream.adapters.kafka.raw_records import RawRecord
from judgestream.adapters.kafka.record_time import record_time
from judgestream.adapters.kafka.unreadable import MARK, Unreadable, unreadable
from tests.patched_batches import packed, patched, signed


def record(offset: int, value: bytes = b"v", **more: object) -> RawRecord:
    return RawRecord(offset=offset, timestamp=1000 + offset, key=b"k", value=value, **more)  # type: ignore[arg-type]


def good(first: int, count: int = 3) -> bytes:
    return batch([record(first + k, b"v%d" % (first + k)) for k in range(count)])


Read = list[tuple[int, bytes | None, tuple[tuple[str, bytes | None], ...]]]


def by_aiokafka(raw: bytes) -> Read:
    found, records = [], aio.MemoryRecords(raw)
    while records.has_next():
        piece = records.next_batch()
        assert piece is not None and piece.validate_crc()
        found += [(r.offset, r.value, tuple(r.headers)) for r in piece]
    return found


def by_kafka_python(raw: bytes) -> Read:
    found, records = [], kafka.record.MemoryRecords(raw)
    while records.has_next():
        piece = records.next_batch()
        assert piece.validate_crc()
        found += [(r.offset, r.value, tuple(r.headers)) for r in piece]
    return found


def aiokafka_offsets(piece: bytes) -> list[int]:
    return [r.offset for r in aio.MemoryRecords(piece).next_batch()]


def kafka_python_offsets(piece: bytes) -> list[int]:
    return [r.offset for r in kafka.record.MemoryRecords(piece).next_batch()]


CLIENTS = [(by_aiokafka, aiokafka_offsets), (by_kafka_python, kafka_python_offsets)]
both = pytest.mark.parametrize(("read", "offsets"), CLIENTS, ids=["aiokafka", "kafka-python"])
Reader = Callable[[bytes], Read]
Offsets = Callable[[bytes], list[int]]


def faults(found: Read) -> list[Unreadable]:
    return [told for _, _, headers in found if (told := unreadable(headers)) is not None]


@both
def test_valid_batches_are_unchanged(read: Reader, offsets: Offsets) -> None:
    raw = good(5) + good(8)
    assert readable(raw, position=5, offsets=offsets) == raw
    assert [offset for offset, _, _ in read(raw)] == [5, 6, 7, 8, 9, 10]


BODY = good(10)[HEADER.size :]
ODD: dict[str, tuple[bytes, Fault]] = {
    "a wrong checksum": (patched(good(10), ">b", 70, 1, sign=False), Fault.BAD_CHECKSUM),
    "codec 5": (patched(good(10), ">h", 21, 5), Fault.UNKNOWN_CODEC),
    "codec 7": (patched(good(10), ">h", 21, 7), Fault.UNKNOWN_CODEC),
    "gzip that is not": (packed(good(10), 1, b"not gzip at all"), Fault.CORRUPT),
    "gzip cut short": (packed(good(10), 1, gzip.compress(BODY)[:-9]), Fault.CORRUPT),
    "snappy that is not": (packed(good(10), 2, b"\xff" * 9), Fault.CORRUPT),
    "xerial cut short": (
        packed(good(10), 2, b"\x82SNAPPY\x00" + bytes(7) + b"\x00\x01"),
        Fault.CORRUPT,
    ),
    "lz4 that is not": (packed(good(10), 3, b"\x00" * 20), Fault.CORRUPT),
    "zstd that is not": (packed(good(10), 4, b"\x00" * 20), Fault.CORRUPT),
    "gzip of other bytes": (packed(good(10), 1, gzip.compress(b"\xff" * 40)), Fault.CORRUPT),
    "magic 3": (patched(good(10), ">b", 16, 3), Fault.UNKNOWN_FORMAT),
    "magic -1": (patched(good(10), ">b", 16, -1), Fault.UNKNOWN_FORMAT),
    "magic 0 over magic 2": (patched(good(10), ">b", 16, 0), Fault.BAD_CHECKSUM),
    "magic 1 over magic 2": (patched(good(10), ">b", 16, 1), Fault.BAD_CHECKSUM),
    "a negative count": (patched(good(10), ">i", 57, -1), Fault.CORRUPT),
    "a count of 2 ** 31 - 1": (patched(good(10), ">i", 57, 2**31 - 1), Fault.CORRUPT),
    "a delta of -1": (patched(good(10), ">i", 23, -1), Fault.CORRUPT),
    "a marker without a key": (
        signed(
            patched(
                batch([RawRecord(offset=12, timestamp=0, key=None, value=None)]), ">h", 21, 0x30
            )
        ),
        Fault.CORRUPT,
    ),
    "a record of size -1": (patched(good(10), ">B", 61, 1), Fault.CORRUPT),
    "a record larger than the batch": (patched(good(10), ">B", 61, 0x7E), Fault.CORRUPT),
}


@both
@pytest.mark.parametrize("name", ODD)
def test_a_batch_that_cannot_be_read_is_one_record_and_the_next_is_read(
    read: Reader, offsets: Offsets, name: str
) -> None:
    piece, fault = ODD[name]
    found = read(readable(good(7) + piece + good(13), position=7, offsets=offsets))
    assert [offset for offset, _, _ in found] == [7, 8, 9, 12, 13, 14, 15]
    (told,) = faults(found)
    assert (told.fault, told.last_offset) == (fault, 12)
    assert told.first_offset in (10, 12) and told.detail


@both
@pytest.mark.parametrize("name", ODD)
def test_an_unreadable_batch_at_the_end_of_a_partition_is_one_record(
    read: Reader, offsets: Offsets, name: str
) -> None:
    piece, fault = ODD[name]
    found = read(readable(piece, position=10, offsets=offsets))
    (told,) = faults(found)
    assert told.fault is fault
    assert found[0][0] >= 10, "the position must move on, or the same is fetched for ever"


@both
def test_unreadable_bytes_are_kept(read: Reader, offsets: Offsets) -> None:
    piece = ODD["codec 5"][0]
    ((_, value, _),) = read(readable(piece, position=10, offsets=offsets))
    assert value == piece


@both
def test_a_bad_record_hides_only_the_records_behind_it_in_its_batch(
    read: Reader, offsets: Offsets
) -> None:
    whole = good(10)
    second = whole.index(b"v11") - 7
    assert whole[second] == whole[HEADER.size]  # all records have one size
    found = read(readable(patched(whole, ">B", second, 0x7E), position=10, offsets=offsets))
    assert [(offset, value) for offset, value, _ in found[:1]] == [(10, b"v10")]
    (told,) = faults(found)
    assert (told.first_offset, told.last_offset) == (11, 12)


@both
def test_a_header_name_that_is_not_utf8_is_escaped(read: Reader, offsets: Offsets) -> None:
    odd = record(11, headers=((b"caf\xe9", b"1"), (b"who", None)))
    raw = batch([record(10), odd, record(12)])
    found = read(readable(raw, position=10, offsets=offsets))
    assert [offset for offset, _, _ in found] == [10, 11, 12]
    assert found[1][2] == (("caf\\xe9", b"1"), ("who", None))
    assert faults(found) == []


@both
@pytest.mark.parametrize("deltas", [(0, 0, 0), (2, 1, 0), (0, 1, 9), (-3, 0, 1)])
def test_impossible_offsets_are_replaced_by_counting(
    read: Reader, offsets: Offsets, deltas: tuple[int, int, int]
) -> None:
    raw = batch([record(10 + d, b"%d" % k) for k, d in enumerate(deltas)], base=10, last=12)
    found = read(readable(raw, position=10, offsets=offsets))
    assert [(offset, value) for offset, value, _ in found] == [(10, b"0"), (11, b"1"), (12, b"2")]


COMPRESSED = {
    1: gzip.compress(BODY),
    2: snappy.compress(BODY),
    3: lz4.frame.compress(BODY),
    4: zstandard.compress(BODY),
}


@both
@pytest.mark.parametrize("codec", COMPRESSED)
def test_every_codec_is_read(read: Reader, offsets: Offsets, codec: int) -> None:
    raw = packed(good(10), codec, COMPRESSED[codec])
    found = read(readable(raw, position=10, offsets=offsets))
    assert [value for _, value, _ in found] == [b"v10", b"v11", b"v12"]


@both
def test_snappy_with_java_framing_and_gzip_in_several_members_are_read(
    read: Reader, offsets: Offsets
) -> None:
    xerial = b"\x82SNAPPY\x00" + struct.pack(">ii", 1, 1)
    half = len(BODY) // 2
    for part in (BODY[:half], BODY[half:]):
        block = snappy.compress(part)
        xerial += struct.pack(">i", len(block)) + block
    members = gzip.compress(BODY[:half]) + gzip.compress(BODY[half:])
    for codec, body in ((2, xerial), (1, members)):
        found = read(readable(packed(good(10), codec, body), position=10, offsets=offsets))
        assert [value for _, value, _ in found] == [b"v10", b"v11", b"v12"]


@pytest.mark.parametrize("codec", COMPRESSED)
def test_decompression_is_bounded(codec: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decompression, "MAX_BATCH_BYTES", 1 << 20)
    zeros = bytes(8 << 20)
    compress = {
        1: gzip.compress,
        2: snappy.compress,
        3: lz4.frame.compress,
        4: zstandard.compress,
    }
    bomb = packed(good(10), codec, compress[codec](zeros))
    (told,) = faults(by_aiokafka(readable(bomb, position=10, offsets=aiokafka_offsets)))
    assert told.fault is Fault.TOO_LARGE and "1 MiB" in told.detail


@both
def test_a_batch_that_claims_the_offsets_of_the_next_does_not_hide_it(
    read: Reader, offsets: Offsets
) -> None:
    raw = patched(good(10), ">i", 23, 1 << 24) + good(13)
    found = read(readable(raw, position=10, offsets=offsets))
    assert [offset for offset, _, _ in found] == [10, 11, 12, 13, 14, 15]
    assert faults(found) == []


def old(offset: int, value: bytes, *, magic: int = 1, attributes: int = 0) -> bytes:
    body = struct.pack(">bb", magic, attributes) + (struct.pack(">q", 77) if magic else b"")
    body += struct.pack(">i", -1) + struct.pack(">i", len(value)) + value
    return struct.pack(">qiI", offset, len(body) + 4, zlib.crc32(body)) + body


@both
@pytest.mark.parametrize("magic", [0, 1])
def test_messages_of_the_old_formats_are_read_among_others(
    read: Reader, offsets: Offsets, magic: int
) -> None:
    inner = old(0, b"a", magic=magic) + old(1, b"b", magic=magic)
    packed_inner = old(12, gzip.compress(inner), magic=magic, attributes=1)
    raw = good(7) + old(10, b"plain", magic=magic) + packed_inner + good(13)
    found = read(readable(raw, position=7, offsets=offsets))
    values = [b"plain", b"a", b"b"]
    assert [value for _, value, _ in found][3:6] == values and len(found) == 9
    bomb = old(10, gzip.compress(bytes(100 << 20)), magic=magic, attributes=1)
    (told,) = faults(read(readable(bomb + good(11), position=10, offsets=offsets)))
    assert told.fault is Fault.TOO_LARGE


def test_a_repaired_batch_stays_part_of_its_aborted_transaction() -> None:
    """It keeps the producer and attributes by which clients recognise it."""
    raw = batch([record(10, headers=((b"\xff", b""),))])
    raw = patched(patched(raw, ">q", 43, 77, sign=False), ">h", 21, 0x10)
    fixed = HEADER.unpack_from(readable(raw, position=10, offsets=aiokafka_offsets))
    assert (fixed[5], fixed[9]) == (0x10, 77)


def test_an_incomplete_batch_at_the_end_is_left_for_the_next_fetch() -> None:
    whole = good(5)
    assert readable(whole + good(8)[:-1], position=5, offsets=aiokafka_offsets) == whole
    assert readable(whole[:-1], position=5, offsets=aiokafka_offsets) == b""


def test_a_producer_cannot_forge_the_mark() -> None:
    told = unreadable([(MARK[:-1] + "g", b"{}"), ("judgestream-unreadable", b"{}"), ("x", None)])
    assert told is None


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_both_clients_read_to_the_end_after_any_change(data: st.DataObject) -> None:
    """Valid batches before and behind stay complete, the position advances, and nothing raises."""
    middle = bytearray(good(10))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.sampled_from([*range(16, 80)]))
        middle[at % len(middle)] = data.draw(st.integers(0, 255))
    piece = signed(bytes(middle)) if data.draw(st.booleans()) else bytes(middle)
    for read, offsets in CLIENTS:
        found = read(readable(good(7) + piece + good(13), position=7, offsets=offsets))
        places = [offset for offset, _, _ in found]
        assert places[:3] == [7, 8, 9] and places[-3:] == [13, 14, 15]
        assert places == sorted(set(places))


@given(raw=st.binary(max_size=200), position=st.integers(0, 2**40))
def test_arbitrary_bytes_never_raise(raw: bytes, position: int) -> None:
    for read, offsets in CLIENTS:
        read(readable(raw, position=position, offsets=offsets))


@pytest.mark.parametrize(
    ("milliseconds", "moment"),
    [
        (0, datetime(1970, 1, 1, tzinfo=UTC)),
        (1_764_000_000_000, datetime(2025, 11, 24, 16, tzinfo=UTC)),
        (253_370_764_799_000, datetime(9998, 12, 31, 23, 59, 59, tzinfo=UTC)),
        (253_402_300_800_000, None),
        (1_764_000_000_000_000, None),  # microseconds
        (2**63 - 1, None),
        (-1, None),
        (-(2**63), None),
        (None, None),
    ],
)
def test_a_timestamp_is_a_time_or_none(milliseconds: int | None, moment: datetime | None) -> None:
    assert record_time(milliseconds) == moment
