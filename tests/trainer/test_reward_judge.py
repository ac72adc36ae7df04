"""The small judge made again, from base to bundle, with a tiny base and a taste that is easy to learn."""

import json
from itertools import product
from pathlib import Path

import pytest
import yaml
from rich.console import Console

from judgestream.checkpoints.adapted import assemble
from judgestream.checkpoints.manifest import read_manifest, verify
from judgestream.engine.checkpoint import load
from judgestream.terminal.exit_codes import ExitCode
from judgestream_trainer.cards.reward_scale import fit_scale
from judgestream_trainer.data.example import Example, Judgement
from judgestream_trainer.jobs import reward_judge
from judgestream_trainer.preferences.evaluation_sets import FITTED_ON
from judgestream_trainer.preferences.groups import Graded, Group
from tests.checkpoints.test_adapted import base, bundle

__all__ = ["base", "bundle"]

RECIPE = {
    "name": "again",
    "seed": 4,
    "template": "reward-v1",
    "size": {"context": 128, "max_input": 127},
    "optimisation": {
        "steps": 30,
        "batch": 4,
        "row_tokens": 2048,
        "optimizer": "adamw",
        "other_lr": 0.01,
        "warmup": 0.1,
        "precision": "bfloat16",
    },
    "lora": {"rank": 4, "alpha": 8},
    "preferences": {"answers": 3},
    "records": {"save_every": 10},
}


def shouts(number: int, marks: int) -> str:
    return f"hey {number}{'!' * marks}"


def groups(_: Path) -> list[Group]:
    return [
        Group(
            id=str(number),
            source="test",
            question=f"Shout {number}.",
            answers=tuple(Graded(text=shouts(number, k), grade=1.5 * k) for k in range(5)),
        )
        for number in range(40)
    ]


def measured(_: Path) -> dict[str, list[Example]]:
    """The answer with more exclamation marks is better, equal ones are ties; every ninth label is wrong."""
    examples = [
        Example(
            id=f"{number}-{first}-{second}",
            question=f"Cry {number}.",
            answers=(shouts(number, first), shouts(number + 50, second)),
            blind=Judgement(
                scores=(5.0 + second, 5.0 + first) if row % 9 == 0 else (5.0 + first, 5.0 + second)
            ),
        )
        for row, (number, first, second) in enumerate(product(range(8), range(4), range(4)))
    ]
    return {"Shouts (people)": examples, **dict.fromkeys(FITTED_ON, examples)}


@pytest.fixture
def again(
    base: Path, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Path, Path]:
    """A bundle with a card to compare with, and the recipe."""
    monkeypatch.setattr(reward_judge, "all_groups", groups)
    monkeypatch.setattr(reward_judge, "read_measured", measured)
    monkeypatch.setattr(reward_judge, "_gguf", lambda _: base)
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(yaml.safe_dump(RECIPE))
    return bundle, recipe


def made(bundle: Path, recipe: Path, out: Path, before: float) -> ExitCode:
    card = {"sets": {"Shouts (people)": {"decided": {"share": before}}}}
    (bundle / "evaluation.json").write_text(json.dumps(card))
    return reward_judge.reward_judge(
        recipe_file=recipe,
        bundle=bundle,
        sets=out.parent,
        out=out,
        work=out.parent / "work",
        resume=False,
        console=Console(quiet=True),
    )


def test_the_new_bundle_gives_the_judge_that_its_manifest_promises(
    again: tuple[Path, Path], base: Path, tmp_path: Path
) -> None:
    bundle, recipe = again
    out = tmp_path / "out"
    assert made(bundle, recipe, out, before=0.9) is ExitCode.OK
    manifest = assemble(out, base, tmp_path / "assembled")
    verify(tmp_path / "assembled", read_manifest(tmp_path / "assembled"))
    assert manifest.family == "reward" and manifest.name == "again"
    card = json.loads((out / "evaluation.json").read_text())
    assert card["sets"]["Shouts (people)"]["decided"]["share"] > 0.8
    assert [point["step"] for point in card["curve"]] == [10, 20, 30]
    text = (out / "EVALUATION.md").read_text()
    assert "| Shouts (people) | 128 (32) |" in text and "(kept)" in text


def test_outcomes_that_values_separate_without_an_error_give_no_scale(
    again: tuple[Path, Path], tmp_path: Path
) -> None:
    bundle, recipe = again
    made(bundle, recipe, tmp_path / "out", before=0.9)
    loaded = load(tmp_path / "work" / "trained", device="cpu")
    clear = [
        Example(
            id=str(number),
            question="Cry.",
            answers=(shouts(1, first), shouts(1, second)),
            blind=Judgement(scores=(5.0 + first, 5.0 + second)),
        )
        for number, (first, second) in enumerate([(0, 4), (4, 0), (2, 2)] * 40)
    ]
    with pytest.raises(ValueError, match="without an error"):
        fit_scale(loaded, clear)


def test_a_judge_that_differs_from_the_shipped_one_is_reported(
    again: tuple[Path, Path], tmp_path: Path
) -> None:
    bundle, recipe = again
    assert made(bundle, recipe, tmp_path / "out", before=0.5) is ExitCode.NO
