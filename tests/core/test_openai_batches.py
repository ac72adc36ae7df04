"""OpenAI batch inputs and outputs, joined by `custom_id`."""

from typing import Any

import pytest

from judgestream.core.formats.base import Draft
from judgestream.core.formats.fields import Fields, InvalidRecord, Place, SetAside
from judgestream.core.formats.openai import BATCH_OUTPUT, Batch
from judgestream.core.formats.reasons import Aside


def asked(name: str, question: str = "2 + 2?") -> tuple[str, dict[str, Any]]:
    body = {"messages": [{"role": "user", "content": question}]}
    return "batch input", {"custom_id": name, "body": body}


def answered(name: str, text: str = "4", **changes: Any) -> tuple[str, dict[str, Any]]:
    message = {"message": {"role": "assistant", "content": text}}
    response = {"status_code": 200, "body": {"choices": [message], "model": "m"}}
    return BATCH_OUTPUT.name, {"custom_id": name, "response": response | changes}


def outcomes(*rows: tuple[str, dict[str, Any]]) -> list[Draft | Exception]:
    batch = Batch()
    for number, (part, row) in enumerate(rows, start=1):
        batch.add(part, Fields(row, Place(file="b.jsonl", number=number)))
    return [found for found in batch.outcomes() if isinstance(found, Draft | Exception)]


def test_one_output_is_a_single_answer_and_two_make_a_pair() -> None:
    (single,) = outcomes(asked("x"), answered("x"))
    assert isinstance(single, Draft)
    assert [candidate.text for candidate in single.candidates] == ["4"]
    (pair,) = outcomes(asked("x"), answered("x"), answered("x", "5"))
    assert isinstance(pair, Draft)
    assert [candidate.text for candidate in pair.candidates] == ["4", "5"]
    assert (pair.mode, pair.question) == ("pairwise", "2 + 2?")


def test_what_cannot_be_joined_is_set_aside_with_a_reason() -> None:
    rows = {
        Aside.NO_QUESTION: (answered("x"),),
        Aside.AMBIGUOUS_ID: (asked("x"), asked("x", "3 + 3?"), answered("x")),
        Aside.NO_ANSWER: (asked("x"), answered("x", status_code=500)),
    }
    for reason, given in rows.items():
        (found,) = outcomes(*given)
        assert isinstance(found, SetAside)
        assert found.reason is reason
    (found,) = outcomes(asked("x"), (BATCH_OUTPUT.name, {"custom_id": "x", "response": None}))
    assert isinstance(found, SetAside)


def test_a_row_without_a_custom_id_is_invalid() -> None:
    with pytest.raises(InvalidRecord, match="custom_id: is missing"):
        outcomes((BATCH_OUTPUT.name, {"response": {}}))
