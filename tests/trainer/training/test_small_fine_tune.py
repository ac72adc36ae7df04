"""The small fine-tuning recipe, from a file of labelled pairs to a judge; `data check` before it."""

import json
from itertools import islice
from pathlib import Path

import pytest

from judgestream.engine.checkpoint import load
from judgestream_trainer.recipe import load_recipe
from judgestream_trainer.tasks import FAMILIES, items
from tests.paths import JUDGES, RECIPES
from tests.trainer.command_line import main

RECIPE = RECIPES / "small-fine-tune.yaml"
TINY = JUDGES / "tiny"


def rows(count: int) -> str:
    """JudgeLM records of short held-out items, one of them with scores off the grid, one without marks."""
    chosen = islice(items(FAMILIES["knowledge"], seed=9, held_out=True), count)
    lines = [
        {
            "question_id": number,
            "question_body": item.question,
            "answer1_body": item.answers[0].text or "none",
            "answer2_body": item.answers[1].text or "nothing",
            "score": list(item.scores),
            "text": f"{item.scores[0]} {item.scores[1]}\n{item.explanation}",
        }
        for number, item in enumerate(chosen)
    ]
    lines[0] |= {"score": [7.5, 8], "text": "7.5 8\nAssistant 2 is right."}
    lines[1] |= {"score": [9.9, 10], "text": "9.9 10\nAssistant 2 is right."}
    return "".join(json.dumps(line) + "\n" for line in lines)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "pairs.jsonl"
    path.write_text(rows(16), encoding="utf-8")
    return path


def test_the_recipe_fine_tunes_a_bundled_judge_on_a_file_of_pairs(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "mine"
    command = ["train", "--recipe", str(RECIPE), "--base", str(TINY), "--data", str(data)]
    assert main([*command, "--out", str(out)]) == 0
    before, after = load(TINY).model.state_dict(), load(out).model.state_dict()
    assert any((before[name] != after[name]).any() for name in before)
    said = " ".join(capsys.readouterr().err.split())
    assert "2 of 32 sequences: scores that the template cannot express" in said
    assert "2 of 32 sequences: scores moved to the template's labels" in said
    assert load_recipe(RECIPE).size.max_input == load(TINY).manifest.max_input_tokens


def test_data_check_shows_what_training_would_leave_out(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["data", "check", str(data), "--tokenizer", str(TINY)]
    assert main([*command, "--recipe", str(RECIPE)]) == 0
    said = capsys.readouterr().err
    assert "trainable by the recipe: 15 of 16 examples" in said
    assert "2: scores that the template cannot express" in said
    narrow = tmp_path / "narrow.yaml"
    narrow.write_text(RECIPE.read_text().replace("max_input: 2048", "max_input: 8"))
    assert main([*command, "--recipe", str(narrow)]) == 1
    assert "trainable by the recipe: 0 of 16 examples" in capsys.readouterr().err
    assert main(["data", "check", str(data), "--recipe", str(RECIPE)]) == 2
