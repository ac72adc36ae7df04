"""Recovery of the request id from an undecodable record."""

import pytest

from judgestream.contracts.events import IncomingHeader
from judgestream.contracts.records import Record
from judgestream.contracts.salvage import request_id
from judgestream.v1.judging_pb2 import JudgeRequest

CE_ID: IncomingHeader = ("ce_id", b"from-header")
WHOLE = JudgeRequest(request_id="r" * 200, question="q").SerializeToString()


@pytest.mark.parametrize(
    ("value", "headers", "key", "found"),
    [
        (b'{"requestId": "r1", "question": ', [CE_ID], b"k", "r1"),
        (b'{"request_id" : "caf\\u00e9"', [], None, "caf\xe9"),
        ('{"requestId": "r1"'.encode("utf-16"), [], None, "r1"),
        (b'{"requestId": 7', [CE_ID], b"k", "from-header"),
        (b'{"requestId": "\\ud800"', [], b"k", "k"),
        (b'{"requestId": "  "', [], b"k", "k"),
        (b'{"requestId": "' + b"r" * 513 + b'"', [], b"k", "k"),
        (b'{"requestId": "cut of', [], b"k", "k"),
        (WHOLE[:-1], [], b"k", "r" * 200),
        (WHOLE[:100], [], b"k", "k"),
        (b"\x0a\x02\xff\xfe", [], b"k", "k"),
        (b"\x0a", [], b"k", "k"),
        (b"\x0a\xff\xff\xff\xff\xff", [], b"k", "k"),
        (b"\xff", [CE_ID, ("ce_id", None)], b"k", "from-header"),
        (None, [], b"k", "k"),
        (b"\xff", [], b"\xff", ""),
        (b"\xff", [], b" ", ""),
        (b"\xff", [], b"k" * 513, ""),
        (b"\xff", [], None, ""),
    ],
)
def test_the_id_comes_from_the_field_else_the_header_else_the_key(
    value: bytes | None, headers: list[IncomingHeader], key: bytes | None, found: str
) -> None:
    record = Record(
        topic="t", partition=0, offset=0, time=None, key=key, value=value, headers=tuple(headers)
    )
    assert request_id(record) == found
