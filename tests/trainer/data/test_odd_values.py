"""A record with any value in any field is used, counted, or refused with its place."""

import json
from pathlib import Path
from typing import Any

import pytest

from judgestream_trainer.data import TrainingDataError, read_examples

NOON = "2026-01-01T00:00:00Z"
PAIR = [{"text": "a"}, {"text": "b"}]
ROWS: dict[str, dict[str, Any]] = {
    "training": {
        "exampleId": "e",
        "question": "q",
        "answers": PAIR,
        "blind": {"scores": [1, 2]},
        "informed": {"scores": [1, 2]},
        "reference": "r",
        "labelledAt": NOON,
    },
    "verdicts": {
        "verdictId": "v",
        "requestId": "r",
        "status": "STATUS_SCORED",
        "passes": [{"name": "straight"}],
        "metadata": {"a": "b"},
        "judgedAt": NOON,
        "pWin": 0.5,
    },
    "labels": {"requestId": "r", "annotator": "h", "winner": "1", "tie": False, "labelledAt": NOON},
    "requests": {
        "requestId": "r",
        "question": "q",
        "candidates": PAIR,
        "options": {"orders": "ORDERS_BOTH"},
        "requestedAt": NOON,
    },
    "judgelm": {
        "question_id": 1,
        "question_body": "q",
        "answer1_body": "a",
        "answer2_body": "b",
        "text": "1 2",
        "score": [1, 2],
        "reference": {"text": "r"},
    },
    "trl": {"id": "x", "prompt": "p", "chosen": "a", "rejected": "b"},
    "pandalm": {"instruction": "i", "response1": "a", "response2": "b", "annotator1": 1},
    "reviews": {
        "question_id": 1,
        "answer1_id": "x",
        "answer2_id": "y",
        "score": [1, 2],
        "text": "",
    },
    "answers": {"question_id": 1, "answer_id": "x", "text": "a", "model_id": "m"},
    "questions": {"question_id": 1, "text": "q", "category": "c"},
}
ODD: list[object] = [
    None,
    0,
    -1.5,
    True,
    "",
    "\ud800",
    [],
    [None],
    [[1]],
    {},
    {"a": 1},
    {"text": 3},
    {"scores": "x"},
    {"scores": [1, "\ud800"]},
    [{"role": "user"}],
    [{"text": "a"}, {"text": 1}],
    float("inf"),
    10**400,
    [10**400, 1],
    "9999999-01-01",
]


@pytest.mark.parametrize("kind", ROWS)
def test_an_odd_value_is_used_counted_or_refused_with_its_place(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "rows"
    for name in ROWS[kind]:
        for value in ODD:
            path.write_text(json.dumps(ROWS[kind]) + "\n" + json.dumps(ROWS[kind] | {name: value}))
            try:
                examples, counts = read_examples([path])
            except TrainingDataError as error:
                assert str(error).startswith(f"{path}, line 2"), (name, value)
            else:
                assert counts.read == len(examples) + sum(counts.by_reason.values())
