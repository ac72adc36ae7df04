"""Requests from real-world files: JSON lines or an array, with a byte order mark, gzipped, or damaged."""

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from judgestream.adapters.files.requests import FORMATS, read_requests
from judgestream.core.errors import ConfigurationError
from judgestream.core.formats import detect
from judgestream.core.formats.base import Converted
from judgestream.core.formats.fields import InvalidRecord
from judgestream.core.types import Orders, ReferenceUse

NOON = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
TRL = [{"id": f"p{k}", "prompt": "Hi?", "chosen": "Hello.", "rejected": "é"} for k in range(3)]
OWN = {
    "requestId": "r1",
    "question": "2 + 2?",
    "candidates": [{"id": "a", "text": "4", "system": "s"}, {"id": "b", "text": "5"}],
}


def read(path: Path, form: str | None = None, **options: object) -> list[Converted]:
    return list(read_requests(path, form=form, at=NOON, **options))  # type: ignore[arg-type]


def lines(rows: object) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "raw",
    [
        lines(TRL).encode(),
        b"\n" + lines(TRL).replace("\n", "\r\n\r\n").encode(),
        b"\xef\xbb\xbf" + lines(TRL).encode(),
        json.dumps(TRL, indent=2).encode(),
        b"\xef\xbb\xbf \n" + json.dumps(TRL).encode(),
        gzip.compress(lines(TRL).encode()),
        gzip.compress(b"\xef\xbb\xbf" + json.dumps(TRL).encode()),
    ],
    ids=["lines", "crlf and blanks", "mark", "array", "marked array", "gzip", "gzip array"],
)
def test_every_way_to_write_a_file_gives_the_same_requests(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "rows"
    path.write_bytes(raw)
    found = read(path)
    assert [one.request.request_id[:7] for one in found] == ["trl-p0-", "trl-p1-", "trl-p2-"]
    assert {c.text for one in found for c in one.request.candidates} == {"Hello.", "é"}


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (lines(TRL) + "{oops\n", r"rows, line 4: not JSON"),
        (lines([*TRL, [1]]), r"rows, line 4: a record must be a JSON object, not a list"),
        ("[1]", r"rows, record 1: a record must be a JSON object, not a number"),
        ("[{]", r"rows: not JSON"),
        (lines([*TRL, {"prompt": "x"}]), r"rows, line 4: field chosen: is missing"),
        (lines([*TRL, TRL[0]]), r"rows, line 4: duplicate of the request in .*rows, line 1"),
        (
            lines([OWN, OWN | {"question": "3 + 3?"}]),
            r"rows, line 2: request id 'r1' was already used in .*rows, line 1",
        ),
        ('{"text": 1}', r"rows, line 1: unknown format \(fields: text\)(.|\n)*judgelm: "),
        (lines([OWN | {"questoin": "x"}]), r"rows, line 1: .*no field named \"questoin\""),
        (lines([OWN | {"question": " "}]), r"rows, line 1: request 'r1': question is empty"),
        (lines([OWN | {"mode": "triple"}]), r"rows, line 1: .*unknown mode 'triple'"),
    ],
)
def test_a_bad_record_is_named_with_its_place(tmp_path: Path, raw: str, message: str) -> None:
    path = tmp_path / "rows"
    path.write_text(raw)
    with pytest.raises(InvalidRecord, match=message):
        read(path)


def test_text_that_is_not_utf8_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "rows"
    path.write_bytes(lines(TRL).encode() + b'{"prompt": "\xff"}\n')
    with pytest.raises(InvalidRecord, match="rows, line 4: the text is not UTF-8 .*iconv"):
        read(path)


def test_a_file_that_cannot_be_read_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read: No such file"):
        read(tmp_path / "nothing")
    cut = tmp_path / "cut.gz"
    cut.write_bytes(gzip.compress(lines(TRL).encode())[:-12])
    with pytest.raises((ConfigurationError, InvalidRecord)):
        read(cut)


def test_a_format_can_be_named_and_an_unknown_one_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows"
    path.write_text(lines(TRL))
    with pytest.raises(InvalidRecord, match="question_body: is missing"):
        read(path, "judgelm")
    with pytest.raises(ConfigurationError, match="unknown format 'hf': use one of judgestream, "):
        read(path, "hf")


def test_a_limit_and_a_prefix(tmp_path: Path) -> None:
    path = tmp_path / "rows"
    path.write_text(lines(TRL) + "{oops")
    found = read(path, limit=3, prefix="x-")
    assert [one.request.request_id[:9] for one in found] == ["x-trl-p0-", "x-trl-p1-", "x-trl-p2-"]


class TestOwnSchema:
    def test_both_spellings_of_the_fields_are_taken(self, tmp_path: Path) -> None:
        snake = OWN | {"request_id": "r1", "requested_at": "2026-01-01T00:00:00Z"}
        del snake["requestId"]
        camel = OWN | {"requestedAt": "2026-01-01T00:00:00Z"}
        path = tmp_path / "rows"
        (tmp_path / "rows").write_text(lines([camel]))
        first = read(path)
        path.write_text(lines([snake]))
        assert read(path) == first
        assert first[0].request.requested_at == datetime(2026, 1, 1, tzinfo=UTC)

    def test_options_reference_and_metadata_come_through(self, tmp_path: Path) -> None:
        row = OWN | {
            "reference": "four",
            "options": {"orders": "ORDERS_STRAIGHT", "explain": True},
            "metadata": {"team": "a"},
        }
        path = tmp_path / "rows"
        path.write_text(lines([row]))
        request = read(path)[0].request
        assert (request.reference, request.metadata) == ("four", {"team": "a"})
        assert request.options.orders is Orders.STRAIGHT
        assert request.options.reference_use is ReferenceUse.AUTO
        assert request.options.explain
        assert request.requested_at == NOON

    def test_without_an_id_the_place_and_content_give_one(self, tmp_path: Path) -> None:
        row = {key: value for key, value in OWN.items() if key != "requestId"}
        path = tmp_path / "rows"
        path.write_text(lines([row, row]))
        first, second = (one.request.request_id for one in read(path))
        assert first.startswith("request-1-") and second.startswith("request-2-")
        assert [one.request.request_id for one in read(path)] == [first, second]

    def test_it_is_recognised_by_its_fields(self) -> None:
        assert detect(OWN, FORMATS) is FORMATS["judgestream"]
