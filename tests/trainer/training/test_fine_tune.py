"""Fine-tuned folders, full or by adapters, load in peft, transformers and the engine."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from judgestream.core.errors import ConfigurationError
from judgestream.core.prompt import Prompt
from judgestream.engine.checkpoint import load
from judgestream.engine.judge import Judge
from judgestream_trainer.training.export import plain_weights
from judgestream_trainer.training.lora import adapt
from judgestream_trainer.training.model import based_on, flops_per_token
from judgestream_trainer.training.run import fine_tune
from tests.engine import tiny_reward
from tests.trainer import small

HOW = {"optimizer": "adamw", "other_lr": 0.01, "steps": 0, "epochs": 2, "batch": 4}
LORA = {"rank": 4, "alpha": 8}
IDS = torch.arange(3, 40)[None]


def logits(model: Any) -> torch.Tensor:
    with torch.no_grad():
        found: torch.Tensor = model(IDS, use_cache=False).logits
    return found


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_a_full_fine_tune_writes_a_folder_that_the_engine_loads(
    tmp_path: Path, optimizer: str
) -> None:
    base = small.base(tmp_path / "base")
    recipe = small.recipe(base=True, optimisation={**HOW, "optimizer": optimizer})
    losses: list[float] = []
    out = fine_tune(
        recipe,
        small.examples(12),
        base=base,
        out=tmp_path / "out",
        on_step=lambda step: losses.append(step.loss),
    )
    assert out == tmp_path / "out"
    assert len(losses) == 6 and losses[-1] < losses[0]
    assert sorted(path.name for path in out.iterdir() if path.suffix == ".safetensors") == [
        "model.safetensors"
    ]
    config = json.loads((out / "config.json").read_text("utf-8"))
    assert config["use_cache"] and config["dtype"] == "float32"
    judge = Judge(load(out))
    from judgestream.core.modes import PAIRWISE, plan
    from judgestream.core.templates import JUDGELM
    from judgestream_trainer.cards.judging import request_of
    from judgestream_trainer.training.data_order import task_item

    passes = plan(request_of(task_item(recipe, 0)), PAIRWISE, JUDGELM)
    assert len(judge.read([Prompt(text=p.prompt, grammar=p.grammar) for p in passes])) == len(
        passes
    )


def test_peft_loads_the_adapter_and_the_merged_weights_give_the_same_logits(
    tmp_path: Path,
) -> None:
    base = small.base(tmp_path / "base")
    recipe = small.recipe(base=True, optimisation=HOW, lora=LORA)
    out = fine_tune(recipe, small.examples(12), base=base, out=tmp_path / "out")
    assert out is not None
    plain = AutoModelForCausalLM.from_pretrained(base)
    before = logits(plain)
    by_peft = logits(PeftModel.from_pretrained(plain, out / "adapter"))
    merged = logits(AutoModelForCausalLM.from_pretrained(out))
    torch.testing.assert_close(merged, by_peft, atol=1e-5, rtol=1e-4)
    assert (merged - before).abs().max() > 1e-3
    frozen = load_file(base / "model.safetensors")
    trained = load_file(out / "model.safetensors")
    assert frozen.keys() == trained.keys()
    changed = {name for name in frozen if not torch.equal(frozen[name], trained[name])}
    assert changed == {name for name in frozen if name.endswith("_proj.weight")}


def test_an_adapter_changes_nothing_before_it_is_trained(tmp_path: Path) -> None:
    base = small.base(tmp_path / "base")
    recipe = small.recipe(base=True, optimisation=HOW, lora=LORA)
    model, _ = based_on(recipe, base)
    whole = flops_per_token(model, 0)
    adapt(model, recipe.lora, seed=1)
    for name, tensor in load_file(base / "model.safetensors").items():
        assert torch.equal(plain_weights(model)[name], tensor), name
    assert sum(p.requires_grad for p in model.parameters()) == 2 * 7 * 2
    assert flops_per_token(model, 0) < whole  # no gradient of frozen weights


def test_in_bfloat16_adapters_are_trained_over_a_base_in_bfloat16(tmp_path: Path) -> None:
    base = small.base(tmp_path / "base")
    recipe = small.recipe(base=True, optimisation={**HOW, "precision": "bfloat16"}, lora=LORA)
    out = fine_tune(recipe, small.examples(8), base=base, out=tmp_path / "out")
    assert out is not None
    assert {t.dtype for t in load_file(out / "model.safetensors").values()} == {torch.bfloat16}
    assert {t.dtype for t in load_file(out / "adapter" / "adapter_model.safetensors").values()} == {
        torch.float32
    }


def test_pure_bfloat16_trains_and_stores_bfloat16(tmp_path: Path) -> None:
    base = small.base(tmp_path / "base")
    recipe = small.recipe(base=True, optimisation={**HOW, "precision": "pure-bfloat16"})
    out = fine_tune(recipe, small.examples(8), base=base, out=tmp_path / "out")
    assert out is not None
    assert {t.dtype for t in load_file(out / "model.safetensors").values()} == {torch.bfloat16}


def test_a_reward_model_is_refused_as_a_base(tmp_path: Path) -> None:
    base = tiny_reward.make(tmp_path / "base")
    with pytest.raises(ConfigurationError, match="is a reward model"):
        fine_tune(small.recipe(base=True), small.examples(8), base=base, out=tmp_path / "out")


def test_a_base_that_does_not_fit_the_recipe_is_refused(tmp_path: Path) -> None:
    base = small.base(tmp_path / "base")
    long = small.recipe(base=True, size={"context": 4096})
    with pytest.raises(ConfigurationError, match="size.context 4096 exceeds the 640"):
        fine_tune(long, small.examples(2), base=base, out=tmp_path / "out")
    elsewhere = small.recipe(base=True, lora={"rank": 2, "targets": ["c_attn"]})
    with pytest.raises(ConfigurationError, match="the base has no linear layer named c_attn"):
        fine_tune(elsewhere, small.examples(2), base=base, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()
