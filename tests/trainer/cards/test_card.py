"""The cards of the bundled judges and of any checkpoint; they are not part of a judge's identity."""

import json
import shutil
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest

from judgestream.checkpoints.manifest import read_manifest, verify
from judgestream.engine.checkpoint import load
from judgestream.engine.judge import Judge
from judgestream.evaluation.intervals import magnitude, paired_difference, wilson_score
from judgestream_trainer.cards.bundled import Card, TrainingRecord, differences, measure
from judgestream_trainer.cards.bundled_page import page
from judgestream_trainer.cards.calibrate import fit
from judgestream_trainer.cards.folder import write_card
from judgestream_trainer.cards.report import evaluate, write_beside, write_into
from judgestream_trainer.cards.report import page as report_page
from judgestream_trainer.data.example import Example, Judgement
from judgestream_trainer.files import whole_folder
from judgestream_trainer.recipe import Recipe, load_recipe
from judgestream_trainer.tasks import FAMILIES, items
from tests.paths import JUDGES, RECIPES
from tests.trainer.command_line import main

TINY = JUDGES / "tiny"
PLOTS = ("plots/accuracy.png", "plots/confusion.png", "plots/reliability.png")
TRAINING = TrainingRecord(seconds=1, steps=1, pairs=1, tokens=1, parameters=1, date="2026-11-24")
ABLATION = {
    "swap augmentation": {"consistency": (0.98, 0.01)},
    "none": {"consistency": (0.8, 0.02)},
}


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    loaded = load_recipe(RECIPES / "tiny.yaml")
    return replace(loaded, evaluation=replace(loaded.evaluation, items=6))


@pytest.fixture(scope="module")
def judge() -> Judge:
    return Judge(load(TINY))


@pytest.fixture(scope="module")
def card(recipe: Recipe, judge: Judge) -> Card:
    fitted = fit(Judge(load(TINY), temperature=1.0), recipe)
    return measure(judge, recipe, TRAINING, fitted)


def examples(count: int) -> list[Example]:
    return [
        item.example
        for family in FAMILIES.values()
        for item in islice(items(family, seed=3, held_out=True), count)
    ]


def copy_of(folder: Path, target: Path) -> Path:
    shutil.copytree(folder, target)
    return target


def test_the_bundled_judges_card_agrees_with_itself_and_has_the_shape_of_the_shipped_one(
    card: Card,
) -> None:
    data = json.loads(json.dumps(card.data()))
    assert differences(card, data, 0.0) == []
    shipped = json.loads((TINY / "evaluation.json").read_text())
    assert (
        differences(card, shipped, 1.0) == []
    )  # shapes only: six items per family are too few for more
    assert set(data["families"]) == set(shipped["families"])
    assert set(data["groups"]) <= set(shipped["groups"])


def test_a_shipped_cards_intervals_follow_from_its_counts() -> None:
    card = json.loads((TINY / "evaluation.json").read_text())
    groups = [
        *card["overall"].values(),
        *(by for g in card["families"].values() for by in g.values()),
    ]
    assert len(groups) == 12
    for figures in groups:
        n = figures["n"]
        right = wilson_score(round(figures["accuracy"]["share"] * n), n)
        first, second = (
            round(figures[f"toward_{which}"]["share"] * n) for which in ("first", "second")
        )
        bias = magnitude(paired_difference(first, second, n))
        for shown, expected in ((figures["accuracy"], right), (figures["delta_bias"], bias)):
            assert (shown["low"], shown["high"]) == pytest.approx((expected.low, expected.high))
        for shown in figures.values():
            if isinstance(shown, dict):
                assert (
                    shown["low"] < shown["high"] and shown["low"] <= shown["share"] <= shown["high"]
                )
    page = (TINY / "EVALUATION.md").read_text()
    assert "ECE if calibrated" in page and "bootstrap" not in page.partition("### Ablation")[0]


def test_the_page_has_every_section_and_the_given_ablation(card: Card, recipe: Recipe) -> None:
    plain = page(card, recipe, PLOTS)
    for section in (
        "## Figures",
        "### With reference, by group",
        "### JudgeLM's metrics",
        "### Facts",
        "### Length",
        "## Calibration",
        "## How it was made",
    ):
        assert section in plain
    assert "`perfer_before_rate`" in plain
    assert "![Verdict against ground truth](plots/confusion.png)" in plain
    assert "Ablation" not in plain
    measured = replace(card, ablation=ABLATION, ablation_note="Three seeds.")
    shown = page(measured, recipe)
    assert "| swap augmentation | 0.980 ± 0.010 |" in shown
    assert "Three seeds." in shown


def test_card_and_plots_do_not_change_the_digest_of_a_checkpoint(
    card: Card, recipe: Recipe, tmp_path: Path
) -> None:
    before = read_manifest(TINY)
    target = tmp_path / "judge"
    with whole_folder(target) as folder:
        shutil.copytree(TINY, folder, dirs_exist_ok=True)
        manifest = write_card(folder, card, recipe, name="tiny", created_at="2026-11-24T00:00:00Z")
    assert manifest.digest == before.digest
    assert set(PLOTS) <= set(manifest.files)
    verify(target, manifest)
    assert all((target / plot).stat().st_size < 100_000 for plot in PLOTS)
    assert manifest.evaluation["with_reference"]["n"] == 30


def test_a_second_evaluation_replaces_the_first_and_is_the_same_judge(
    judge: Judge, tmp_path: Path
) -> None:
    folder = copy_of(TINY, tmp_path / "judge")
    before = read_manifest(folder)
    report = evaluate(judge, examples(3), sources=[{"name": "held out", "examples": 15}])
    after = write_into(report, folder, before)
    assert after.digest == before.digest
    assert read_manifest(folder) == after
    verify(folder, after)
    assert after.recipe == before.recipe
    assert json.loads((folder / "evaluation.json").read_text())["digest"] == before.digest
    verify(TINY, read_manifest(TINY))  # the copied directory is unchanged
    assert [path.name for path in tmp_path.iterdir()] == ["judge"]  # no draft is left behind


def test_the_same_evaluation_writes_the_same_bytes(judge: Judge, tmp_path: Path) -> None:
    report = evaluate(judge, examples(2), sources=[{"name": "held out"}])
    for name in ("one", "two"):
        write_beside(report, tmp_path / name)
    for name in (*PLOTS, "EVALUATION.md", "evaluation.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_examples_without_reference_are_not_judged_with_one(judge: Judge) -> None:
    blind = Example(
        id="b",
        question="q",
        answers=("a", "b"),
        blind=Judgement(scores=(8, 2)),
        group="plain",
    )
    report = evaluate(judge, [blind], sources=[])
    assert set(report.results.overall) == {"without_reference"}
    assert "without reference, N = 1" in report_page(report)


def test_nothing_to_judge_is_an_error(judge: Judge) -> None:
    with pytest.raises(ValueError, match="no example"):
        evaluate(judge, [], sources=[])


def test_a_bundled_judge_can_be_measured_again_with_an_ablation(tmp_path: Path) -> None:
    folder = copy_of(TINY, tmp_path / "judge")
    recipe = (RECIPES / "tiny.yaml").read_text()
    (tmp_path / "recipe.yaml").write_text(recipe.replace("items: 150", "items: 4"))
    (tmp_path / "ablation.json").write_text(json.dumps({"note": "n", "rows": ABLATION}))
    arguments = ["card", "--checkpoint", str(folder), "--recipe", str(tmp_path / "recipe.yaml")]
    assert main([*arguments, "--ablation", str(tmp_path / "ablation.json")]) == 0
    manifest = read_manifest(folder)
    verify(folder, manifest)
    before = read_manifest(TINY)
    assert (manifest.digest, manifest.created_at) == (before.digest, before.created_at)
    data = json.loads((folder / "evaluation.json").read_text())
    assert data["overall"]["with_reference"]["n"] == 20
    assert data["training"] == json.loads((TINY / "evaluation.json").read_text())["training"]
    page = (folder / "EVALUATION.md").read_text()
    assert "| swap augmentation | 0.980 ± 0.010 |" in page
    assert "](plots/ablation.png)" in page and (folder / "plots" / "ablation.png").exists()


def test_a_card_of_another_kind_is_refused(
    tmp_path: Path, judge: Judge, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = copy_of(TINY, tmp_path / "judge")
    write_into(evaluate(judge, examples(1), sources=[]), folder, read_manifest(folder))
    recipe = RECIPES / "tiny.yaml"
    assert main(["card", "--checkpoint", str(folder), "--recipe", str(recipe)]) == 2
    assert "not the card of a bundled judge" in " ".join(capsys.readouterr().err.split())
