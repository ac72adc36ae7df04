"""Training is repeatable and learns; the tiny judge is complete and as good as its card says."""

from dataclasses import replace
from itertools import islice

import pytest
import torch

from judgestream.adapters.releases.model_config import bundled_models
from judgestream.checkpoints.manifest import read_manifest, verify
from judgestream.engine.checkpoint import load
from judgestream.engine.judge import Judge
from judgestream.engine.tokens import Tokens
from judgestream.evaluation.summary import figures
from judgestream_trainer.cards.judging import judge_pairs
from judgestream_trainer.data.augment import Augmentation, visit
from judgestream_trainer.recipe import Recipe, load_recipe
from judgestream_trainer.tasks import FAMILIES, items
from judgestream_trainer.training.run import build_tokenizer, train
from judgestream_trainer.training.sequences import encode
from tests.paths import RECIPES


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    return load_recipe(RECIPES / "tiny.yaml")


def test_no_held_out_item_is_ever_trained_on() -> None:
    for family in FAMILIES.values():
        seen = {item.key for item in islice(items(family, seed=1, held_out=False), 300)}
        held = {item.key for item in islice(items(family, seed=2, held_out=True), 100)}
        assert not seen & held


def test_a_sequence_marks_the_ends_of_the_answers_and_their_scores(recipe: Recipe) -> None:
    tokenizer = build_tokenizer(recipe)
    item = next(items(FAMILIES["knowledge"], seed=1, held_out=False))
    shown = visit(item.example, Augmentation(), seed=1, epoch=0)
    tokens = Tokens.of(tokenizer, eos=frozenset({2}))
    row = encode(shown, tokens, explain=False)
    assert all("[The End of" in tokenizer.decode([row.ids[end]]) for end in row.ends)
    assert row.scores == shown.judgement.scores
    first, second = row.scores
    assert tokenizer.decode(list(row.ids[row.prompt :])) == f"{first} {second}\n"


@pytest.mark.integration
def test_training_learns_and_repeats_bit_for_bit(recipe: Recipe) -> None:
    short = replace(recipe, optimisation=replace(recipe.optimisation, steps=8))
    losses: list[float] = []
    first = train(short, lambda step: losses.append(step.smoothed))
    again = train(short)
    assert losses[-1] < losses[0]
    for name, tensor in first.model.state_dict().items():
        assert torch.equal(tensor, again.model.state_dict()[name]), name


def test_the_tiny_judge_is_complete_and_as_good_as_its_card() -> None:
    """The card says .925 and .948. Of 70 items, four standard errors are .13 and .11."""
    folder = bundled_models() / "judges" / "tiny"
    verify(folder, read_manifest(folder))
    judge = Judge(load(folder))
    fresh = [
        item
        for family in FAMILIES.values()
        for item in islice(items(family, seed=987, held_out=True), 14)
    ]
    found = figures(judge_pairs(judge, fresh, with_reference=True))
    assert found.unscored.share == 0
    assert found.accuracy.share >= 0.79
    assert found.consistency.share >= 0.83
