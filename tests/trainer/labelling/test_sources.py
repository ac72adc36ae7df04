"""Seeds, answers and references joined by question id; every complaint names file, line and field."""

import json
from pathlib import Path
from typing import Any

import pytest

from judgestream.core.errors import ConfigurationError
from judgestream_trainer.labelling.sources import read_sources
from tests.trainer.labelling.inputs import inputs, lines


def test_answers_and_references_are_joined_by_question_id_in_any_order(tmp_path: Path) -> None:
    seeds = lines(
        tmp_path / "seeds.jsonl",
        [
            {"question_id": 7, "question_body": "Seven?"},
            {"question_id": "x", "question_body": "X?\n", "reference": "ten"},
        ],
    )
    first = lines(
        tmp_path / "m1.jsonl",
        [
            {"question_id": "x", "text": "10", "question_body": "X?", "decoding_method": "greedy"},
            {"question_id": 7, "text": "7"},
        ],
    )
    second = lines(tmp_path / "m2.jsonl", [{"question_id": 7, "text": "vii", "model": "birch"}])
    references = lines(tmp_path / "refs.jsonl", [{"question_id": 7, "reference": {"text": "VII"}}])
    found = read_sources(seeds, [first, second], references)
    seven, x = found.questions
    assert (seven.id, seven.reference, x.id, x.reference) == (7, "VII", "x", "ten")
    assert [(a.model, a.text, a.decoding) for a in seven.answers] == [
        ("m1", "7", ""),
        ("birch", "vii", ""),
    ]
    assert [(a.model, a.decoding) for a in x.answers] == [("m1", "greedy")]
    assert found.answers == {"m1": 2, "birch": 1} and found.unmatched == 0


def test_answers_to_questions_that_are_no_seeds_are_left_out_and_counted(tmp_path: Path) -> None:
    made = inputs(tmp_path, count=4)
    few = lines(
        tmp_path / "few.jsonl",
        [{"question_id": 0, "question_body": "What is ice number 0 good for?"}],
    )
    found = read_sources(few, made.answers, made.references)
    assert len(found.questions) == 1 and found.unmatched == 3 * 3 + 1


@pytest.mark.parametrize(
    ("name", "row", "told"),
    [
        ("seeds", {"question_body": "Q?"}, "line 2: field question_id: is missing"),
        (
            "seeds",
            {"question_id": 0, "question_body": "Q?"},
            "line 2: field question_id: duplicate id '0'",
        ),
        ("seeds", {"question_id": 1}, "line 2: field question_body: is missing"),
        ("seeds", [1], "line 2: a record must be a JSON object"),
        (
            "atlas",
            {"question_id": 0, "text": "a"},
            "line 2: field question_id: second answer of atlas",
        ),
        ("atlas", {"question_id": 9, "text": 5}, "line 2: field text: must be text, not a number"),
        (
            "birch",
            {"question_id": 0, "text": "a", "model": "atlas"},
            "line 2: field model: another file also holds an answer of atlas",
        ),
        (
            "birch",
            {"question_id": 0, "text": "a", "model": "b", "question_body": "Other?"},
            "line 2: field question_body: 'Other?' is not the question of seed 0",
        ),
        (
            "references",
            {"question_id": 0, "reference": "r"},
            "line 2: field question_id: duplicate id '0'",
        ),
        ("references", {"question_id": 5}, "line 2: field reference: is missing"),
        (
            "references",
            {"question_id": 5, "reference": {"text": 1}},
            "line 2: field reference.text",
        ),
    ],
    ids=lambda value: str(value)[:30],
)
def test_an_invalid_record_is_reported_with_its_line_and_field(
    tmp_path: Path, name: str, row: Any, told: str
) -> None:
    made = inputs(tmp_path, count=1)
    lines(tmp_path / f"{name}.jsonl", [*_first(tmp_path / f"{name}.jsonl"), row])
    with pytest.raises(ConfigurationError) as raised:
        read_sources(made.seeds, made.answers, made.references)
    assert f"{name}.jsonl, {told}" in str(raised.value)


def test_a_reference_that_differs_from_that_of_the_seed_is_refused(tmp_path: Path) -> None:
    made = inputs(tmp_path, count=1)
    lines(made.seeds, [{**_first(made.seeds)[0], "reference": "another truth"}])
    with pytest.raises(ConfigurationError, match="differs from the reference of seed '0'"):
        read_sources(made.seeds, made.answers, made.references)


def test_one_models_answers_make_no_pair(tmp_path: Path) -> None:
    made = inputs(tmp_path, count=1)
    with pytest.raises(
        ConfigurationError, match=r"a pair needs answers of two models.*atlas\.jsonl"
    ):
        read_sources(made.seeds, made.answers[:1], None)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"none\.jsonl cannot be read"):
        read_sources(tmp_path / "none.jsonl", [], None)


def _first(path: Path) -> list[dict[str, object]]:
    return [json.loads(path.read_text("utf-8").splitlines()[0])]
