"""The strict JSON reader: what it accepts equals what was written, and it refuses everything else."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judgestream.contracts.json_text import MAX_ENTRIES, NotJson, json_object, looks_like_json

ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"]
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
objects = st.dictionaries(st.text(max_size=5), values, max_size=4)


@given(objects, st.sampled_from(ENCODINGS), st.booleans())
def test_every_object_is_read_as_it_was_written(
    written: dict[str, Any], encoding: str, ascii_only: bool
) -> None:
    value = json.dumps(written, ensure_ascii=ascii_only).encode(encoding)
    assert json_object(value) == written
    assert looks_like_json(value)


@given(objects, st.text(max_size=4), values, values)
def test_a_duplicate_key_is_refused_at_any_depth(
    others: dict[str, Any], key: str, first: object, second: object
) -> None:
    name = json.dumps(key)
    inner = f"{{{name}: {json.dumps(first)}, {name}: {json.dumps(second)}}}"
    for text in (inner, f'{{"outer": [{json.dumps(others)}, {inner}]}}'):
        with pytest.raises(NotJson, match="is duplicated"):
            json_object(text.encode())


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_any_bytes_are_an_object_or_refused_with_a_reason(value: bytes) -> None:
    try:
        read = json_object(value)
    except NotJson as exc:
        assert str(exc)
    else:
        assert read == json.loads(value)


@given(values.filter(lambda value: not isinstance(value, dict)))
def test_any_other_value_is_not_an_object(value: object) -> None:
    with pytest.raises(NotJson, match="not an object: send one object per record"):
        json_object(json.dumps(value).encode())


REFUSED = {
    "NaN": (b'{"a": NaN}', "NaN is not a JSON number"),
    "infinity": (b'{"a": [-Infinity]}', "-Infinity is not a JSON number"),
    "a number beyond double precision": (b'{"a": 1e999}', "1e999 exceeds double precision"),
    "a lone surrogate": (b'{"a": "\\udc00"}', "lone surrogate"),
    "invalid UTF-8": (b'{"a": "\xff"}', "not UTF-8: byte 7 is invalid"),
    "deep nesting": (b'{"a":' * 100_000, "nested too deeply"),
    "many entries": (
        json.dumps({"a": [0] * (MAX_ENTRIES + 1)}).encode(),
        f"{MAX_ENTRIES + 1} entries; at most {MAX_ENTRIES}",
    ),
    "half an object": (b'{"a": ', "Expecting value"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_other_readers_might_read_differently_is_refused(name: str) -> None:
    value, reason = REFUSED[name]
    with pytest.raises(NotJson) as caught:
        json_object(value)
    assert reason in str(caught.value)
