"""The smallest recipe, base and examples that training can be tested with."""

from dataclasses import replace
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedTokenizerFast

from judgestream.engine.tokens import Tokens
from judgestream.engine.training_attention import KERNELS
from judgestream_trainer.data.example import Example
from judgestream_trainer.recipe import Recipe, recipe_from
from judgestream_trainer.tasks import FAMILIES, items
from judgestream_trainer.training.data_order import task_item
from judgestream_trainer.training.export import write_model
from judgestream_trainer.training.model import fresh
from judgestream_trainer.training.objective import AuxiliaryHeads, TrainingModel
from judgestream_trainer.training.tokenizer import train_tokenizer

SIZE = {"context": 640, "max_input": 512}
MODEL = {"vocab": 480, "hidden": 32, "layers": 2, "heads": 4, "intermediate": 48}
HOW = {"batch": 6, "steps": 20, "warmup": 0.1, "matrix_lr": 0.01, "other_lr": 0.003}
SHARES = {"knowledge": 0.5, "formats": 0.5}


def recipe(*, base: bool = False, families: bool = True, **parts: dict[str, Any]) -> Recipe:
    """From nothing with guiding heads; with `base` a fine-tune without them."""
    how = {**HOW, **parts.pop("optimisation", {})}
    if not base:
        how = {"flag_weight": 1.0, **how}
    return recipe_from(
        {
            "name": "small",
            "seed": 5,
            "families": SHARES if families else {},
            "size": {**SIZE, **({} if base else MODEL), **parts.pop("size", {})},
            "optimisation": how,
            **parts,
        },
        where="the test",
    )


@cache
def tokenizer() -> PreTrainedTokenizerFast:
    texts = [
        text
        for family in FAMILIES.values()
        for item in islice(items(family, seed=5, held_out=False), 40)
        for text in (item.question, item.explanation, *(a.text for a in item.answers))
    ]
    return train_tokenizer(texts, vocab_size=480, max_tokens=512)


@cache
def tokens() -> Tokens:
    made = tokenizer()
    return Tokens.of(made, eos=frozenset({made.eos_token_id}))


def training_model(of: Recipe) -> TrainingModel:
    model = fresh(of, tokenizer())
    torch.nn.init.normal_(model.model.embed_tokens.weight, std=0.3)
    heads = AuxiliaryHeads(32, 2) if of.optimisation.flag_weight else None
    return TrainingModel(model, heads, KERNELS["buckets"])


def base(folder: Path, seed: int = 3) -> Path:
    """A Hugging Face folder with an untrained model."""
    write_model(folder, fresh(replace(recipe(), seed=seed), tokenizer()), tokenizer())
    return folder


def examples(count: int) -> list[Example]:
    return [task_item(recipe(), position).example for position in range(count)]
