"""The project's own requests and labels as input formats."""

from typing import Any

import pytest

from judgestream.contracts.request_format import convert, convert_label
from judgestream.core.formats.fields import Fields, InvalidRecord, Place, SetAside
from judgestream.core.formats.reasons import Aside, NoLabel

PLACE = Place(file="r.jsonl", number=1)
REQUEST = {"question": "q", "candidates": [{"text": "a"}, {"text": "b"}]}
LABEL = {"requestId": "r", "annotator": "h", "winner": "1"}


def fields(row: dict[str, Any]) -> Fields:
    return Fields(row, PLACE)


def test_a_request_without_an_id_gets_a_digest_and_no_time() -> None:
    draft = convert(fields(REQUEST))
    assert draft.name.startswith("request-")
    assert draft.requested_at is None
    assert convert(fields(REQUEST)).name == draft.name
    timed = convert(fields(REQUEST | {"requestedAt": "2026-01-02T12:00:00Z"}))
    assert timed.requested_at is not None and timed.requested_at.year == 2026


def test_ids_may_be_numbers_and_metadata_becomes_text() -> None:
    candidates = [{"id": 7.0, "text": "a", "system": None}, {"id": 8, "text": "b"}]
    row = {"requestId": 12, "candidates": candidates, "metadata": {"n": 1, "no": None, "l": [2]}}
    draft = convert(fields(REQUEST | row))
    assert draft.name == "12"
    assert [candidate.id for candidate in draft.candidates] == ["7", "8"]
    assert draft.metadata == {"n": "1", "l": "[2]"}


def test_labels_in_the_request_are_votes_or_say_why_not() -> None:
    labels = [
        {"annotator": "h", "winner": "1"},
        {"annotator": "h", "tie": True},
        {"annotator": "h"},
        {"annotator": "h", "winner": "1", "tie": True},
    ]
    draft = convert(fields(REQUEST | {"labels": labels}))
    assert [(vote.annotator, vote.winner) for vote in draft.votes] == [("h", "1"), ("h", "")]
    assert draft.unlabelled == (NoLabel.NO_WINNER, NoLabel.UNKNOWN_WINNER)
    with pytest.raises(InvalidRecord, match="tie: must be true or false"):
        convert(fields(REQUEST | {"labels": [{"annotator": "h", "tie": 1}]}))


INVALID: dict[str, dict[str, Any]] = {
    "an unknown field": REQUEST | {"quesiton": "q"},
    "a lone surrogate": REQUEST | {"question": "\ud83d"},
    "candidates that are a number": REQUEST | {"candidates": [7]},
    "an unknown option": REQUEST | {"options": {"orders": 9}},
    "an implausible time": REQUEST | {"requestedAt": "0001-01-01T00:00:00Z"},
    "too long an explanation": REQUEST | {"options": {"maxExplanationTokens": 1 << 20}},
    "too many candidates": REQUEST | {"candidates": [{"text": "a"}] * 101},
}


@pytest.mark.parametrize("name", INVALID)
def test_an_invalid_request_names_its_place(name: str) -> None:
    with pytest.raises(InvalidRecord, match=r"^r\.jsonl, line 1: "):
        convert(fields(INVALID[name]))


def test_a_label_needs_a_request_an_annotator_and_one_choice() -> None:
    assert convert_label(fields(LABEL)).winner == "1"
    for name in ("requestId", "annotator"):
        with pytest.raises(InvalidRecord, match=f"{name}: is missing"):
            convert_label(fields(LABEL | {name: ""}))
    for row, reason in (
        (LABEL | {"tie": True}, Aside.CONTRADICTION),
        (LABEL | {"winner": ""}, Aside.NO_CHOICE),
    ):
        with pytest.raises(SetAside) as caught:
            convert_label(fields(row))
        assert caught.value.reason is reason
    with pytest.raises(InvalidRecord, match="line 1: "):
        convert_label(fields(LABEL | {"labelledAt": "0001-01-01T00:00:00Z"}))
