"""Whatever stands in a record, a converter gives something to judge or a reason with its place."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from judgestream.contracts.request_format import SUBMITTED
from judgestream.core.formats import FORMATS, detect
from judgestream.core.formats.base import Draft, finish
from judgestream.core.formats.fields import Fields, InvalidRecord, Place
from judgestream.core.types import Label, ReferenceUse
from tests.core.format_rows import ROWS
from tests.core.test_formats import NOON

PLACE = Place(file="rows.jsonl", number=3)
OWN: dict[str, dict[str, object]] = {
    "judgestream": {
        "requestId": "r",
        "question": "q",
        "candidates": [{"id": "a", "text": "4"}, {"id": "b", "text": "5"}],
        "metadata": {"a": None, "b": 1},
        "labels": [{"annotator": "h", "winner": "a"}],
    },
    "judgestream-labels": {"requestId": "r", "annotator": "h", "winner": "a", "tie": False},
}
ALL = ROWS | OWN
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from(
        [10**400, -(10**4000), float("inf"), "", "[", '["a"]', "\ud800", "\n\nHuman:"]
    )
    | st.floats()
    | st.text(max_size=8)
)
KEYS = st.sampled_from(
    [
        "role",
        "content",
        "from",
        "value",
        "type",
        "text",
        "message",
        "refusal",
        "tool_calls",
        "function",
        "name",
        "arguments",
        "turns",
        "response",
        "body",
        "choices",
        "messages",
        "a",
        "0",
    ]
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


def outcomes(name: str, values: Mapping[str, Any]) -> Iterator[object]:
    """What a record gives, through its converter and through its join."""
    form, fields = SUBMITTED[name], Fields(values, PLACE)
    try:
        yield from form.found(fields)
        if form.join is not None:
            join = form.join()
            join.add(name, fields)
            yield from join.outcomes()
    except InvalidRecord as exc:
        yield exc


def check(name: str, values: Mapping[str, Any]) -> None:
    for found in outcomes(name, values):
        if isinstance(found, Draft):
            for use in (None, *ReferenceUse):
                done = finish(found, at=NOON, reference_use=use)
                ids = {candidate.id for candidate in done.request.candidates}
                assert all(label.tie or label.winner in ids for label in done.labels)
                assert all(isinstance(text, str) for text in done.request.metadata.values())
        else:
            assert isinstance(found, Label) or str(PLACE) in str(found)


def test_every_format_has_a_row_here() -> None:
    assert set(ALL) == set(SUBMITTED)
    assert [name for name in ROWS if detect(ROWS[name], FORMATS) is not FORMATS[name]] == []


@pytest.mark.parametrize("name", ALL)
def test_any_value_in_any_field_gives_a_draft_or_a_reason(name: str) -> None:
    @settings(max_examples=25)
    @given(st.sampled_from(sorted(ALL[name])), VALUES)
    def one_field(field: str, value: object) -> None:
        check(name, ALL[name] | {field: value})

    one_field()


@pytest.mark.parametrize("name", ALL)
def test_any_value_inside_a_field_gives_a_draft_or_a_reason(name: str) -> None:
    nested = [key for key, value in ALL[name].items() if isinstance(value, dict | list)]
    if not nested:
        return

    @settings(max_examples=25)
    @given(st.sampled_from(nested), VALUES, st.data())
    def inside(field: str, value: object, data: st.DataObject) -> None:
        check(name, ALL[name] | {field: replaced(ALL[name][field], value, data)})

    inside()


def replaced(whole: object, value: object, data: st.DataObject) -> object:
    """A copy of a nested value with one of its parts, at any depth, replaced."""
    if isinstance(whole, dict) and whole and data.draw(st.integers(0, 3)):
        key = data.draw(st.sampled_from(sorted(whole)))
        return whole | {key: replaced(whole[key], value, data)}
    if isinstance(whole, list) and whole and data.draw(st.integers(0, 3)):
        k = data.draw(st.integers(0, len(whole) - 1))
        return [*whole[:k], replaced(whole[k], value, data), *whole[k + 1 :]]
    return value
