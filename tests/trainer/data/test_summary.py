"""Statistics of a set of examples, counted by hand, and the questions to exclude from training."""

import json
from pathlib import Path

import pytest

from judgestream_trainer.data import TrainingDataError
from judgestream_trainer.data.example import Example, Judgement
from judgestream_trainer.data.questions import read_questions
from judgestream_trainer.data.split import Shares, Side
from judgestream_trainer.data.summary import Balance, Lengths, sequences, summary

SHARES = Shares(validation=0.0, test=0.0)


def example(name: str, scores: tuple[float, float], question: str = "Why?") -> Example:
    return Example(
        id=name,
        question=question,
        answers=("yes", name),
        reference="r",
        blind=Judgement(scores=scores, explanation="w"),
        informed=Judgement(scores=(9, 1)) if scores[0] > scores[1] else None,
    )


ROWS = [
    example("a", (8, 4)),
    example("a", (4, 8)),
    example("b", (6, 6)),
    example("c", (4, 8), "Who?"),
]


def test_a_summary_counts_balance_duplicates_and_questions() -> None:
    found = summary(ROWS, SHARES)
    assert found.blind == Balance(first=1, tie=1, second=2)
    assert found.informed == Balance(first=1, tie=0, second=0)
    assert (found.duplicates, found.contradictory) == (1, 1)
    assert found.sides == {Side.TRAIN: (3, 2), Side.VALIDATION: (0, 0), Side.TEST: (0, 0)}
    assert list(found.lines())[:2] == [
        "without reference: 4 judgements: first 1 (25.0%), tie 1 (25.0%), second 2 (50.0%)",
        "with reference: 1 judgements: first 1 (100.0%), tie 0 (0.0%), second 0 (0.0%)",
    ]


def test_lengths_are_of_prompt_and_completion_once_per_judgement() -> None:
    blind, informed = sequences(ROWS[0])
    assert blind.endswith("### Response:8 4\nw") and "Reference Answer" not in blind
    assert informed.endswith("### Response:9 1\n") and "[Reference Answer]\nr\n" in informed
    found = summary(ROWS, SHARES, tokens=lambda text: text.count("\n"), max_tokens=0)
    assert [one.unit for one in found.lengths] == ["characters", "tokens"]
    assert found.lengths[0].longest == len(informed)
    assert found.lengths[1].above == 5


def test_percentiles_are_values_that_occur() -> None:
    found = Lengths.of(list(range(100, 0, -1)), unit="tokens", limit=98)
    assert str(found) == "tokens: median 50, 95 % within 95, longest 100, 2 above 98"
    assert Lengths.of([], unit="tokens", limit=None).longest == 0


def test_an_empty_set_has_a_summary() -> None:
    assert next(summary([], SHARES).lines()) == "without reference: none"


def test_the_questions_of_any_file_are_found(tmp_path: Path) -> None:
    rows = [
        {"question_id": 1, "text": "q1", "category": "x"},
        {"question_id": 81, "turns": ["q2", "and then?"], "category": "x"},
        {"prompt": "q3", "response 1": "a"},
        {"instruction": "q4", "input": "in", "response1": "a", "response2": "b"},
        {"prompt": [{"role": "user", "content": "q5"}], "chosen": "a", "rejected": "b"},
        {"question_body": "q6", "text": "8 4"},
    ]
    path = tmp_path / "rows"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert read_questions([path]) == ["q1", "q2", "q3", "q4\n\nin", "q5", "q6"]
    path.write_text('{"answer": "a", "turns": []}')
    with pytest.raises(TrainingDataError, match="rows, line 1: field question: is missing, and so"):
        read_questions([path])
