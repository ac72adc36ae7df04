"""An array of records is read through a window; what is broken in it is said."""

import io
import json
import sys
from pathlib import Path

import pytest

from judgestream.adapters.files import STDIN, json_values, read_records
from judgestream.core.formats.fields import InvalidRecord

ROWS = [{"id": k, "text": "[é] {,} \\" * k} for k in range(40)]


def read(folder: Path, text: str | bytes) -> list[object]:
    path = folder / "rows"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return [dict(values) for _, values in read_records(path)]


@pytest.mark.parametrize("chunk", [1, 7, 1 << 20])
@pytest.mark.parametrize("indent", [None, 2])
def test_a_window_of_any_width_gives_the_same_entries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int, indent: int | None
) -> None:
    monkeypatch.setattr(json_values, "CHUNK", chunk)
    assert read(tmp_path, json.dumps(ROWS, indent=indent)) == ROWS
    assert read(tmp_path, " [ ] \n") == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[{"a": 1}', "the file ends where , or ] is expected"),
        ('[{"a": 1} {"a": 2}]', "found '{' where , or ] is expected"),
        ('[{"a": 1}] [', "unexpected text after the end"),
        ('[{"a": 1}, ]', "Expecting value"),
        (b'[{"a": "\xff"}]', "not UTF-8"),
        ('[{"a": ' * 5000, "not JSON"),
    ],
)
def test_a_malformed_array_is_rejected_with_the_unexpected_text(
    tmp_path: Path, text: str | bytes, message: str
) -> None:
    with pytest.raises(InvalidRecord, match=message):
        read(tmp_path, text)


def test_entries_before_a_fault_are_given_and_an_endless_one_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_values, "CHUNK", 8)
    monkeypatch.setattr(json_values, "MAX_VALUE_CHARS", 64)
    path = tmp_path / "rows"
    path.write_text('[{"a": 1}, {"b": "' + "x" * 10_000)
    records = read_records(path)
    assert next(records)[1] == {"a": 1}
    with pytest.raises(InvalidRecord, match="not JSON"):
        next(records)


def test_standard_input_is_left_open(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.TextIOWrapper(io.BytesIO(json.dumps(ROWS).encode()))
    monkeypatch.setattr(sys, "stdin", raw)
    ((place, _), *rest) = list(read_records(STDIN))
    assert (str(place), len(rest)) == ("standard input, record 1", 39)
    assert not raw.closed
