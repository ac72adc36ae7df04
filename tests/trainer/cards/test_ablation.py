"""The ablation: the data of each variant, and the command, run to completion on a few examples."""

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from judgestream_trainer.cards.ablation import NEVER_TRAINED, VARIANTS, new_facts, summary, varied
from judgestream_trainer.data.example import Example, Judgement
from judgestream_trainer.jobs.evaluate import read_ablation
from judgestream_trainer.recipe import Recipe, load_recipe
from judgestream_trainer.tasks.facts import never_trained
from judgestream_trainer.tasks.simulated_bias import SimulatedBias, with_simulated_bias
from judgestream_trainer.training.data_order import supply, task_item
from tests.paths import RECIPES
from tests.trainer import small
from tests.trainer.command_line import main

RECIPE = RECIPES / "ablation.yaml"


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    return load_recipe(RECIPE)


def biased_examples(recipe: Recipe, count: int) -> list[Example]:
    few = replace(recipe, optimisation=replace(recipe.optimisation, examples=count))
    source = supply(few, None).source
    return [source(position)[0] for position in range(count)]


def scores(example: Example) -> tuple[float, float]:
    judgement = example.informed or example.blind
    assert judgement is not None
    return judgement.scores


def test_the_simulated_bias_has_the_strength_that_the_recipe_sets(recipe: Recipe) -> None:
    even = replace(recipe, lopsided=SimulatedBias())
    biased, true = biased_examples(recipe, 1500), biased_examples(even, 1500)
    by_id = {one.id: one for one in true}
    decided = [one for one in biased if scores(by_id[one.id])[0] != scores(by_id[one.id])[1]]
    first_better = sum(scores(one)[0] > scores(one)[1] for one in decided) / len(decided)
    assert 0.70 < first_better < 0.82  # three quarters, plus the effect of the score bias
    assert 0.45 < sum(scores(o)[0] > scores(o)[1] for o in true) / len(decided) < 0.55
    raised = sum(
        sum(scores(one)) != sum(scores(by_id[one.id]))
        or scores(one) not in (scores(by_id[one.id]), scores(by_id[one.id])[::-1])
        for one in biased
    )
    assert 0.25 < raised / len(biased) < 0.35
    assert all(1 <= score <= 9 for one in biased for score in scores(one))


def test_simulated_bias_is_pure_and_swaps_answers_with_their_scores() -> None:
    pair = Example(id="e", question="q", answers=("bad", "good"), blind=Judgement(scores=(2, 8)))
    changed = with_simulated_bias(pair, SimulatedBias(better_first=1.0, favour_first=1.0), seed=1)
    assert changed.answers == ("good", "bad") and scores(changed) == (9, 1)
    assert changed == with_simulated_bias(
        pair, SimulatedBias(better_first=1.0, favour_first=1.0), seed=1
    )
    assert pair.answers == ("bad", "good") and scores(pair) == (2, 8)
    assert with_simulated_bias(pair, SimulatedBias(), seed=1) is pair


def test_each_variant_changes_one_thing(recipe: Recipe) -> None:
    base, *others = (varied(recipe, name, 4).augmentation for name in VARIANTS)
    assert base == recipe.augmentation
    for other in others:
        changed = [n for n in other.__slots__ if getattr(other, n) != getattr(base, n)]
        assert len(changed) == 1
    assert {varied(recipe, name, 4).seed for name in VARIANTS} == {4}


def test_a_judge_that_never_sees_a_reference_gets_no_item_that_requires_one(recipe: Recipe) -> None:
    never = varied(recipe, "never a reference", 1)
    assert not any(task_item(never, position).reference_required for position in range(200))
    assert any(task_item(recipe, position).reference_required for position in range(200))


def test_new_facts_are_never_trained() -> None:
    facts = new_facts(20, seed=7)
    assert {item.group for item in facts} == {NEVER_TRAINED}
    assert all(any(never_trained(word) for word in _subjects(item.question)) for item in facts)


def _subjects(question: str) -> list[str]:
    """Every sequence of words in the question; one of them is the subject of the fact."""
    words = question.rstrip("?.").split()
    return [" ".join(words[a:b]) for a in range(len(words)) for b in range(a + 1, len(words) + 1)]


def test_mean_and_deviation_over_the_seeds() -> None:
    table = summary({"a": [{"x": 0.5}, {"x": 0.7}], "b": [{"x": 1.0}], "c": []})
    assert table["a"]["x"] == pytest.approx((0.6, 0.1414), abs=1e-4)
    assert table["b"]["x"] == (1.0, 0.0)
    assert "c" not in table


@pytest.mark.integration
def test_the_command_writes_a_table_for_the_card_and_repeats_no_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = yaml.safe_load(RECIPE.read_text())
    plain["size"] |= small.MODEL | small.SIZE
    plain["optimisation"] |= {"examples": 24, "epochs": 2, "batch": 8}
    plain["evaluation"]["items"] = 3
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(plain))
    arguments = ["ablate", "--recipe", str(tmp_path / "recipe.yaml"), "--seed", "1", "--seed", "2"]
    arguments += ["--work", str(tmp_path / "work"), "--out", str(tmp_path / "table.json")]
    arguments += ["--variant", "no swap", "--variant", "in-place defect"]
    assert main(arguments) == 0
    assert "no swap, seed 2" in capsys.readouterr().err
    note, rows = read_ablation(tmp_path / "table.json")
    assert "2 seeds" in note and set(rows) == {"no swap", "in-place defect"}
    assert all(0 <= mean <= 1 for by in rows.values() for mean, _ in by.values())
    before = (tmp_path / "table.json").read_bytes()
    assert main(arguments) == 0
    assert "seed" not in capsys.readouterr().err
    assert (tmp_path / "table.json").read_bytes() == before


def test_an_ablation_needs_a_recipe_that_trains_from_scratch(tmp_path: Path) -> None:
    recipe = RECIPE.with_name("judgelm-7b.yaml")
    assert main(["ablate", "--recipe", str(recipe), "--work", str(tmp_path)]) == 2
