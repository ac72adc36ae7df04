"""Records that other producers may write: odd values, headers, times and batches, each with its outcome.

A kind is a row. Its outcome is one of

read    handled like any other: a request gets its verdict, a verdict is counted, a label is read
failed  a request gets a failed verdict and a dead letter
aside   not read: a dead letter for a request or a whole batch, a count for a verdict, a note for a label
gone    never visible to readers: aborted, or a marker
"""

import gzip
import json
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import lz4.frame
import snappy
import zstandard

from judgestream.adapters.kafka.raw_batches import HEADER, batch
from judgestream.adapters.kafka.raw_records import RawRecord
from judgestream.core.limits import ID, MIB
from judgestream.v1.judging_pb2 import Candidate, JudgeRequest, Label, Verdict
from tests.patched_batches import packed, patched, signed

NOW = datetime.now(UTC).replace(second=0, microsecond=0)
NOW_MS = int(NOW.timestamp() * 1000)
RELEASE = "by-hand"
ESSENTIAL, ADDITIONAL = b"\xc0\x25\x01", b"\xc0\x3e\x01"
"""Fields 600 and 1000 with the value 1, appended as a newer version writes them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Odd:
    name: str
    batch: bytes
    outcome: str
    read: int = 1
    """Sound records in the batch, of an outcome `read`."""


def request(identity: str, **more: object) -> JudgeRequest:
    fields = {
        "request_id": identity,
        "question": "2 + 2?",
        "candidates": [Candidate(text="4"), Candidate(text="5")],
        **more,
    }
    return JudgeRequest(**fields)  # type: ignore[arg-type]


def verdict(identity: str, **more: object) -> Verdict:
    made = Verdict(
        verdict_id=f"v-{identity}",
        request_id=identity,
        mode="pairwise",
        status=Verdict.STATUS_UNSCORED,
        release=RELEASE,
    )
    made.requested_at.FromDatetime(NOW)
    made.judged_at.FromDatetime(NOW)
    for name, value in more.items():
        setattr(made, name, value)
    return made


def label(identity: str, **more: object) -> Label:
    made = Label(
        label_id=f"l-{identity}",
        request_id=identity,
        annotator="somebody who labels by hand",
        winner="1",
    )
    made.labelled_at.FromDatetime(NOW)
    for name, value in more.items():
        setattr(made, name, value)
    return made


SOUND: dict[str, Callable[[str], bytes]] = {
    "judge.requests.v1": lambda identity: request(identity).SerializeToString(),
    "judge.verdicts.v1": lambda identity: verdict(identity).SerializeToString(),
    "judge.labels.v1": lambda identity: label(identity).SerializeToString(),
}


def raw(value: bytes | None, **more: object) -> RawRecord:
    base = RawRecord(offset=0, timestamp=NOW_MS, key=b"key", value=value)
    return replace(base, **more)  # type: ignore[arg-type]


def alone(value: bytes | None, **more: object) -> bytes:
    return batch([raw(value, **more)])


HEADERS: dict[str, tuple[tuple[bytes, bytes | None], ...]] = {
    "content type null": ((b"content-type", None),),
    "content type not UTF-8": ((b"content-type", b"\xff\xfe"),),
    "content type empty": ((b"content-type", b""),),
    "ce_time null": ((b"ce_time", None),),
    "ce_time first day with an offset": ((b"ce_time", b"0001-01-01T00:00:00+01:00"),),
    "ce_time last day with an offset": ((b"ce_time", b"9999-12-31T23:59:59-01:00"),),
    "ce_time not a time": ((b"ce_time", b"yesterday \xff"),),
    "header name not UTF-8": ((b"\xff\xfe", b"x"), (b"caf\xe9", b"y")),
    "header name empty": ((b"", b"x"),),
    "header name of 100 KB": ((b"n" * 100_000, b"x"),),
    "a thousand headers": tuple((b"h%d" % k, None) for k in range(1000)),
    "every header null": tuple((name, None) for name in (b"ce_id", b"ce_type", b"traceparent")),
    "trace headers not UTF-8": ((b"traceparent", b"\xff" * 55), (b"tracestate", b"\x00")),
    "trace header of 600 KB": ((b"traceparent", b"0" * 600_000),),
    "the mark of our own, guessed": ((b"judgestream-unreadable-0000000000000000", b"{}"),),
}
TIMES = {
    "microseconds": NOW_MS * 1000,
    "nanoseconds": NOW_MS * 1_000_000,
    "year -29719": -1_000_000_000_000_000,
    "the largest time": 2**63 - 1,
    "the smallest time": -(2**63),
    "no time": -1,
    "before 1970": -86_400_000,
}


def general(topic: str, prefix: str) -> list[Odd]:
    """Kinds that any topic may carry."""

    def sound(name: str) -> bytes:
        return SOUND[topic](f"{prefix}{name}")

    kinds = [
        Odd(name=name, batch=alone(sound(name), headers=headers), outcome="read")
        for name, headers in HEADERS.items()
    ]
    for name, time in TIMES.items():
        piece = patched(patched(alone(sound(name)), ">q", 27, time), ">q", 35, time)
        kinds.append(Odd(name=name, batch=piece, outcome="read"))
    for name, key in {
        "key null": None,
        "key empty": b"",
        "key not UTF-8": b"\xff\xfe",
        "key of 300 KB": b"k" * 300_000,
    }.items():
        kinds.append(Odd(name=name, batch=alone(sound(name), key=key), outcome="read"))
    kinds += _batches(sound)
    return kinds


def _batches(sound: Callable[[str], bytes]) -> list[Odd]:
    def three(name: str) -> bytes:
        return batch([raw(sound(f"{name}-{k}"), offset=k) for k in range(3)])

    def body(name: str) -> bytes:
        return three(name)[HEADER.size :]

    def read(name: str, piece: bytes, count: int = 3) -> Odd:
        return Odd(name=name, batch=piece, outcome="read", read=count)

    def aside(name: str, piece: bytes) -> Odd:
        return Odd(name=name, batch=piece, outcome="aside")

    plain = alone(sound("damaged"))
    bomb = gzip.compress(bytes(100 * MIB))
    xerial = b"\x82SNAPPY\x00" + struct.pack(">ii", 1, 1)
    block = snappy.compress(body("xerial"))
    return [
        read("gzip", packed(three("gzip"), 1, gzip.compress(body("gzip")))),
        read("snappy", packed(three("snappy"), 2, snappy.compress(body("snappy")))),
        read("xerial", packed(three("xerial"), 2, xerial + struct.pack(">i", len(block)) + block)),
        read("lz4", packed(three("lz4"), 3, lz4.frame.compress(body("lz4")))),
        read("zstd", packed(three("zstd"), 4, zstandard.compress(body("zstd")))),
        read(
            "equal offsets",
            signed(batch([raw(sound(f"equal offsets-{k}")) for k in range(3)], last=2)),
        ),
        aside("wrong checksum", patched(plain, ">b", 70, 1, sign=False)),
        aside("codec 5", patched(plain, ">h", 21, 5)),
        aside("codec 7", patched(plain, ">h", 21, 7)),
        aside("gzip that is not", packed(plain, 1, b"not gzip" * 4)),
        aside("gzip cut short", packed(plain, 1, gzip.compress(body("cut") * 9)[:-12])),
        aside("snappy that is not", packed(plain, 2, b"\xff" * 40)),
        aside("lz4 that is not", packed(plain, 3, b"\x00" * 40)),
        aside("zstd that is not", packed(plain, 4, b"\x00" * 40)),
        aside("gzip of other bytes", packed(plain, 1, gzip.compress(b"\xff" * 400))),
        aside("gzip that grows to 100 MiB", packed(plain, 1, bomb)),
        aside(
            "zstd that grows to 100 MiB",
            packed(plain, 4, zstandard.compress(bytes(100 * MIB)) + bytes(0)),
        ),
        aside("magic 0 over magic 2", patched(plain, ">b", 16, 0)),
        aside("magic 1 over magic 2", patched(plain, ">b", 16, 1)),
        aside("a negative count", patched(plain, ">i", 57, -1)),
        aside("a record larger than its batch", patched(plain, ">B", 61, 0x7E)),
        aside("a record of negative size", patched(plain, ">B", 61, 0x01)),
        aside(
            "a marker without a key",
            signed(patched(alone(None, key=None), ">h", 21, 0x30)),
        ),
        Odd(name="an old message", batch=_old(sound("an old message")), outcome="read"),
        aside("an old message, damaged", _old(sound("an old message, damaged"))[:-1] + b"\xff"),
    ]


def _old(value: bytes) -> bytes:
    """A message of magic 1, as a topic of an old cluster may still hold."""
    body = struct.pack(">bbqi", 1, 0, NOW_MS, -1) + struct.pack(">i", len(value)) + value
    return struct.pack(">qiI", 0, len(body) + 4, zlib.crc32(body)) + body


def _json(**fields: object) -> bytes:
    return json.dumps(fields).encode()


def requests() -> list[Odd]:
    """Values that are malformed requests, or barely valid ones."""
    two = [{"text": "4"}, {"text": "5"}]
    good = request("x").SerializeToString()
    values: dict[str, tuple[bytes | None, str]] = {
        "tombstone": (None, "aside"),
        "no bytes": (b"", "aside"),
        "random bytes": (bytes(range(256)), "aside"),
        "cut short": (good[:-3], "aside"),
        "a brace": (b"{", "aside"),
        "JSON null": (b"null", "aside"),
        "a JSON list": (b"[1, 2]", "aside"),
        "deep JSON": (b'{"a":' * 50_000, "aside"),
        "deep lists": (b'{"candidates": ' + b"[" * 50_000, "aside"),
        "half a surrogate": (b'{"requestId": "\\ud800", "question": "q"}', "aside"),
        "UTF-16": ('{"requestId": "u"}'.encode("utf-16"), "aside"),
        "a zip file": (b"PK\x03\x04" + bytes(60), "aside"),
        "a number where text belongs": (_json(requestId=7, question="q"), "aside"),
        "1.3 MB": (_json(requestId="large", question="q" * 1_300_000), "aside"),
        "unknown field": (_json(requestId="odd-unknown", nonsense=1), "any"),
        "a newer field that may matter": (
            request("odd-essential").SerializeToString() + ESSENTIAL,
            "failed",
        ),
        "a newer field that only adds": (
            request("odd-a newer field that only adds").SerializeToString() + ADDITIONAL,
            "read",
        ),
        "a newer option value": (
            request("odd-option", options={"orders": 77}).SerializeToString(),
            "failed",
        ),
        "no id": (request("").SerializeToString(), "aside"),
        "an id of spaces": (request("   ").SerializeToString(), "aside"),
        "an id of 600 bytes": (request("i" * (ID + 88)).SerializeToString(), "aside"),
        "an id of 700 KB": (request("i" * 720_000, question="").SerializeToString(), "aside"),
        "a mode of 700 KB": (request("odd-mode", mode="m" * 720_000).SerializeToString(), "any"),
        "no candidates": (request("odd-none", candidates=[]).SerializeToString(), "failed"),
        "a hundred candidates": (
            request("odd-100", candidates=[Candidate(text="a")] * 100).SerializeToString(),
            "failed",
        ),
        "a candidate id of 500 KB": (
            request(
                "odd-candidate", candidates=[Candidate(id="c" * 500_000), Candidate(id="d")]
            ).SerializeToString(),
            "failed",
        ),
        "equal candidate ids": (
            request(
                "odd-equal", candidates=[Candidate(id="c"), Candidate(id="c")]
            ).SerializeToString(),
            "failed",
        ),
        "a question of spaces": (request("odd-blank", question=" \n").SerializeToString(), "failed"),
        "too long": (
            request("odd-long", question="q" * 200_000).SerializeToString(),
            "failed",
        ),
        "year 1": (_json(requestId="odd-year-1", question="q", candidates=two,
                         requestedAt="0001-01-01T00:00:00Z"), "any"),
        "year 9999": (_json(requestId="odd-year-9999", question="q", candidates=two,
                            requestedAt="9999-12-31T23:59:59.999999999Z"), "any"),
        "metadata of 500 KB": (
            request("odd-meta", metadata={"m" * 250_000: "v" * 250_000}).SerializeToString(),
            "any",
        ),
        "zero bytes in texts": (
            request("odd-zero", question="\x00" * 30).SerializeToString(),
            "any",
        ),
        "control tokens": (
            request("odd-tokens", question="<|im_end|></s>[INST]").SerializeToString(),
            "any",
        ),
    }  # fmt: skip
    return [
        Odd(name=name, batch=alone(value), outcome=outcome)
        for name, (value, outcome) in values.items()
    ]


def verdicts() -> list[Odd]:
    good = verdict("x").SerializeToString()
    later = verdict("in three days")
    later.requested_at.FromDatetime(datetime.now(UTC) + timedelta(days=3))
    beyond = verdict("beyond")
    beyond.requested_at.seconds = 2**50
    strange = verdict("an unknown reading")
    strange.passes.add(name="straight", unreadable="dancing")
    values: dict[str, tuple[bytes | None, str]] = {
        "tombstone": (None, "aside"),
        "no bytes": (b"", "aside"),
        "random bytes": (bytes(range(256)), "aside"),
        "cut short": (good[:-3], "aside"),
        "a brace": (b"{", "aside"),
        "deep JSON": (b'{"a":' * 50_000, "aside"),
        "no id": (verdict("n", verdict_id="").SerializeToString(), "aside"),
        "an id of 100 KB": (verdict("l", verdict_id="v" * 100_000).SerializeToString(), "aside"),
        "a release of 1 MB": (verdict("r", release="r" * MIB).SerializeToString(), "aside"),
        "no time": (Verdict(verdict_id="t", release=RELEASE).SerializeToString(), "aside"),
        "three days ahead": (later.SerializeToString(), "read"),  # counted when it was judged
        "a time beyond the calendar": (beyond.SerializeToString(), "aside"),
        "an unknown reading": (strange.SerializeToString(), "read"),
        "an unknown status": (verdict("an unknown status", status=77).SerializeToString(), "aside"),
        "a newer field that may matter": (
            verdict("essential").SerializeToString() + ESSENTIAL,
            "aside",
        ),
        "a newer field that only adds": (
            verdict("additional").SerializeToString() + ADDITIONAL,
            "read",
        ),
        "not a number": (verdict("nan", p_win=float("nan")).SerializeToString(), "aside"),
    }
    return [
        Odd(name=name, batch=alone(value), outcome=outcome)
        for name, (value, outcome) in values.items()
    ]


def labels() -> list[Odd]:
    good = label("x").SerializeToString()
    values: dict[str, tuple[bytes | None, str]] = {
        "a newer field that only adds": (
            label("a newer field that only adds").SerializeToString() + ADDITIONAL,
            "read",
        ),
        "tombstone": (None, "aside"),
        "no bytes": (b"", "aside"),
        "random bytes": (bytes(range(256)), "aside"),
        "cut short": (good[:-3], "aside"),
        "a brace": (b"{", "aside"),
        "deep JSON": (b'{"a":' * 50_000, "aside"),
    }
    return [
        Odd(name=name, batch=alone(value), outcome=outcome)
        for name, (value, outcome) in values.items()
    ]
