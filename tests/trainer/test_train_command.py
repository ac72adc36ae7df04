"""`judgestream train` from files to a folder; errors name the fix."""

import json
from pathlib import Path

import pytest
import yaml

from judgestream.core.templates import JUDGELM
from judgestream.engine.checkpoint import load, load_tokens
from tests.engine import tiny
from tests.trainer import small
from tests.trainer.command_line import main

FINE_TUNE = {
    "name": "small",
    "seed": 5,
    "size": {"context": 1024, "max_input": 900},
    "optimisation": {"batch": 2, "epochs": 2, "warmup": 0, "optimizer": "adamw", "other_lr": 0.001},
}


def written(path: Path, recipe: object) -> str:
    path.write_text(yaml.safe_dump(recipe), "utf-8")
    return str(path)


def record(number: int) -> dict[str, object]:
    """A row as JudgeLM-100K has it."""
    return {
        "review_id": f"r{number}",
        "question_id": number,
        "question_body": f"How many legs have {number} cats?",
        "answer1_body": f"{4 * number}",
        "answer2_body": "Nobody knows.",
        "answer1_model_id": "a",
        "answer2_model_id": "b",
        "text": "9 2\nAssistant 1 counts. Assistant 2 does not.",
        "score": [9.0, 2.0],
        "reference": {"text": f"{4 * number}"},
        "text_w_reference": "10 1\nAssistant 1 agrees with the reference.",
        "score_w_reference": [10.0, 1.0],
    }


def test_judgelm_records_fine_tune_a_base_with_a_sentencepiece_tokenizer(tmp_path: Path) -> None:
    base = tiny.make(tmp_path / "base", "spm")
    data = tmp_path / "train.jsonl"
    data.write_text("".join(json.dumps(record(k)) + "\n" for k in range(1, 6)), "utf-8")
    out = tmp_path / "out"
    recipe = written(tmp_path / "r.yaml", FINE_TUNE)
    command = ["train", "--recipe", recipe, "--base", str(base), "--out", str(out)]
    assert main([*command, "--data", str(data)]) == 0
    lines = (tmp_path / "out.training" / "metrics.jsonl").read_text("utf-8").splitlines()
    assert len(lines) == 5  # 5 examples, 2 epochs, 2 a step
    assert not (tmp_path / "out.training" / "states").exists()
    prompt = JUDGELM.forms["pair"].render("How many  legs?\n", ("four", "5 ü"), None)
    assert load_tokens(out).prompt(prompt) == load_tokens(base).prompt(prompt)
    assert load(out).model.config.vocab_size == load(base).model.config.vocab_size


def test_a_judge_trained_from_nothing_is_written_as_a_folder(tmp_path: Path) -> None:
    recipe = {
        "name": "small",
        "seed": 5,
        "families": small.SHARES,
        "size": {**small.SIZE, **small.MODEL},
        "optimisation": {**small.HOW, "steps": 2},
    }
    out = tmp_path / "out"
    assert main(["train", "--recipe", written(tmp_path / "r.yaml", recipe), "--out", str(out)]) == 0
    assert load(out).model.config.hidden_size == small.MODEL["hidden"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "name the model with --base"),
        (["--base", "x"], "name files with --data"),
    ],
)
def test_a_missing_option_is_named(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = written(tmp_path / "r.yaml", FINE_TUNE)
    out = str(tmp_path / "out")
    assert main(["train", "--recipe", recipe, "--out", out, *arguments]) == 2
    assert message in " ".join(capsys.readouterr().err.split())
