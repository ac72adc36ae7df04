"""Small folders of suites' files, written by hand, and the published ones where they exist."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from judgestream.apps.suites.loading import Loaded, load_files
from judgestream.suites.table import SUITES
from tests.paths import SHARED

Rows = Sequence[Mapping[str, object]]


def published(suite: str, folder: str) -> Loaded:
    """The published files of a suite; skips the test without them."""
    path = SHARED / "data" / folder
    if not path.is_dir():
        pytest.skip(f"{path} is not there: the published data is not part of the project")
    return load_files(SUITES[suite], path, to_run=False)


def written(folder: Path, files: Mapping[str, Rows]) -> Path:
    for name, rows in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return folder


def mt_bench(folder: Path, *, models: Sequence[str] = ("ann", "bob", "cleo")) -> Path:
    """Three questions of two turns, the last one with a reference, and votes on two of them."""
    questions = [
        {"question_id": 81, "category": "writing", "turns": ["Write a line.", "Make it rhyme."]},
        {"question_id": 82, "category": "writing", "turns": ["Name a bird.", "And a fish."]},
        {"question_id": 111, "category": "math", "turns": ["What is 2 + 3?", "Double it."]},
    ]
    answers = {
        f"model_answer/{model}.jsonl": [
            {
                "question_id": one["question_id"],
                "answer_id": f"{model}-{one['question_id']}",
                "model_id": model,
                "choices": [
                    {"index": 0, "turns": [f"{model} says {'so ' * k}", f"{model}, again"]}
                ],
            }
            for one in questions
        ]
        for k, model in enumerate(models)
    }
    votes = [
        {
            "question_id": 81,
            "model_a": "bob",
            "model_b": "ann",
            "winner": winner,
            "judge": f"expert_{k}",
            "turn": 1,
        }
        for k, winner in enumerate(("model_a", "model_a", "tie"))
    ]
    reference = {
        "question_id": 111,
        "answer_id": "r",
        "model_id": "gpt-4",
        "choices": [{"index": 0, "turns": ["5", "10"]}],
    }
    return written(
        folder,
        {
            "question.jsonl": questions,
            **answers,
            "human_judgments.jsonl": votes,
            "reference_answer/gpt-4.jsonl": [reference],
        },
    )
