"""A training without effect writes no judge: it fails with an error that names the cause."""

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from rich.console import Console

from judgestream_trainer.data.augment import Visit, visit
from judgestream_trainer.data.example import Example, Judgement
from judgestream_trainer.failure import TrainingFailed
from judgestream_trainer.training.data_order import Stream, supply
from judgestream_trainer.training.metrics import recorded
from judgestream_trainer.training.run import fine_tune
from judgestream_trainer.training.sequences import (
    IGNORED,
    OFF_GRID,
    ROUNDED,
    encode,
    places,
    prepared,
)
from tests.trainer import small
from tests.trainer.command_line import main

HOW = {"optimizer": "adamw", "other_lr": 0.01, "steps": 0, "epochs": 1, "batch": 2}
MARKERS = ("### Response:", "<s>", "</s>", "[The End of Assistant 1's Answer]", "[Question]")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small.base(tmp_path_factory.mktemp("base") / "base")


def example(number: int, *, first: str = "good", scores: tuple[float, float] = (8, 2)) -> Example:
    return Example(
        id=f"e{number}", question="q?", answers=(first, "bad"), blind=Judgement(scores=scores)
    )


def tuned(tmp_path: Path, base: Path, some: list[Example], **parts: dict[str, Any]) -> Path | None:
    how = {**HOW, **parts.pop("optimisation", {})}
    recipe = small.recipe(base=True, families=False, optimisation=how, **parts)
    return fine_tune(recipe, some, base=base, out=tmp_path / "out")


@pytest.mark.parametrize(
    ("some", "parts", "cause"),
    [
        ([example(1), example(2)], {"size": {"max_input": 8}}, "2 prompt too long.*max_input 8"),
        ([example(1, scores=(10, 9.9))], {}, "1 scores that the template cannot express"),
        ([], {}, "no examples to train on"),
        ([example(1)], {"optimisation": {"other_lr": 1e-30}}, "changed no weight.*learning rates"),
    ],
    ids=["all too long", "all off the grid", "none at all", "a rate that moves nothing"],
)
def test_a_training_without_effect_fails_and_leaves_no_folder(
    some: list[Example], parts: dict[str, Any], cause: str, base: Path, tmp_path: Path
) -> None:
    with pytest.raises(TrainingFailed, match=cause):
        tuned(tmp_path, base, some, **parts)
    assert list(tmp_path.iterdir()) == []


def test_an_epoch_in_which_nothing_fits_fails_even_after_good_epochs() -> None:
    how = {**HOW, "epochs": 3, "batch": 1}
    recipe = small.recipe(
        base=True, optimisation=how, augmentation={"reference_keep_probability": 0.5}
    )
    long = Example(
        id="e1",
        question="q?",
        answers=("good", "bad"),
        reference="r " * 2000,
        blind=Judgement(scores=(8, 2)),
        informed=Judgement(scores=(8, 2)),
    )
    shown = [visit(long, recipe.augmentation, seed=5, epoch=k).with_reference for k in range(3)]
    assert True in shown and not all(shown)
    stream = Stream(recipe=recipe, supply=supply(recipe, [long]), tokens=small.tokens())
    with pytest.raises(TrainingFailed, match=f"nothing in epoch {shown.index(True) + 1} could"):
        for step in range(3):
            stream.sequences(step)


def test_the_command_names_the_cause_and_exits_with_2(
    base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = {
        "name": "all-too-long",
        "seed": 1,
        "size": {"context": 12, "max_input": 8},
        "optimisation": {**HOW, "steps": 3, "epochs": 0, "warmup": 0},
    }
    (tmp_path / "r.yaml").write_text(yaml.safe_dump(recipe))
    row = {
        "question_id": 1,
        "question_body": "How many legs has a cat?",
        "answer1_body": "Four.",
        "answer2_body": "Two.",
        "score": [9, 2],
        "text": "9 2\nThe first is right.",
    }
    (tmp_path / "d.jsonl").write_text(json.dumps(row) + "\n")
    out = tmp_path / "out"
    command = ["train", "--recipe", str(tmp_path / "r.yaml"), "--base", str(base)]
    assert main([*command, "--data", str(tmp_path / "d.jsonl"), "--out", str(out)]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "prompt too long" in said and "size.max_input 8" in said
    assert not out.exists()


@pytest.mark.parametrize("marker", MARKERS)
def test_an_answer_with_a_marker_trains(marker: str, base: Path, tmp_path: Path) -> None:
    some = [example(k, first=f"Write {marker} here.\n\n{marker}") for k in range(2)]
    assert tuned(tmp_path, base, some) == tmp_path / "out"


@pytest.mark.parametrize("marker", MARKERS)
def test_an_escaped_marker_shifts_flags_and_end_markers(marker: str) -> None:
    plain = f"one {marker} two wrong"
    low = plain.index("wrong")
    marked = Example(
        id="m",
        question=f"q {marker} [The End of Assistant",
        answers=(plain, plain),
        blind=Judgement(scores=(8, 2)),
        marks=(((low, len(plain), True),), ((0, 3, False),)),
    )
    tokens = small.tokens()
    sequence = encode(
        Visit(example=marked, judgement=Judgement(scores=(8, 2)), with_reference=False),
        tokens,
        explain=False,
    )

    def text(ids: Sequence[int]) -> str:
        return str(tokens.tokenizer.decode(list(ids)))

    flagged = [k for k, flag in enumerate(sequence.wrong) if flag == 1.0]
    assert text([sequence.ids[k] for k in flagged]).strip() == "wrong"
    right = [k for k, flag in enumerate(sequence.wrong) if flag == 0.0]
    assert text([sequence.ids[k] for k in right]).strip() == "one"
    assert sum(flag != IGNORED for flag in sequence.wrong) == len(flagged) + len(right)
    for k, end in enumerate(sequence.ends, start=1):
        assert "[The End of Assistant" in text(sequence.ids[end:])
        assert text(sequence.ids[end:]).lstrip().startswith(f"[The End of Assistant {k}'s Answer]")


def test_places_follow_inserted_characters() -> None:
    assert places("a<s>b", "a< s>b") == [0, 1, 3, 4, 5, 6]
    assert places("", "") == [0]


def test_scores_off_the_grid_are_rounded_or_left_out_and_counted() -> None:
    recipe, tokens = small.recipe(base=True), small.tokens()

    def noted(scores: tuple[float, float]) -> tuple[tuple[str, ...], str]:
        judgement = Judgement(scores=scores)
        shown = Visit(example=example(1), judgement=judgement, with_reference=False)
        found = prepared(shown, tokens, recipe, explain=False)
        line = (
            ""
            if found.sequence is None
            else tokens.text(list(found.sequence.ids[found.sequence.prompt :]))
        )
        return found.notes, line

    assert noted((8, 2)) == ((), "8 2\n")
    assert noted((7.5, 8)) == ((ROUNDED,), "7 8\n")
    assert noted((10, 9.9)) == ((OFF_GRID,), "")


def test_the_progress_line_shows_the_error(tmp_path: Path) -> None:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=200)
    with pytest.raises(RuntimeError), recorded(small.recipe(), tmp_path, console):
        raise RuntimeError("the base is missing")
    assert "failed: the base is missing" in screen.getvalue()
    assert "None" not in screen.getvalue()


def test_a_mark_outside_its_answer_is_refused() -> None:
    with pytest.raises(ValueError, match="mark outside its answer"):
        Example(
            id="m",
            question="q",
            answers=("a", "b"),
            blind=Judgement(scores=(8, 2)),
            marks=(((0, 2, True),), ()),
        )
