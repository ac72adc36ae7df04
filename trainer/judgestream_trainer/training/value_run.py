"""Training runs of reward models: a base with low-rank adapters learns one value per answer."""

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import torch
from torch import Tensor
from transformers import PreTrainedModel

from judgestream.engine.conversation_tokens import ConversationTokens
from judgestream.engine.tokens import Tokens
from judgestream_trainer.files import whole_folder
from judgestream_trainer.preferences.groups import Group
from judgestream_trainer.recipe import Recipe
from judgestream_trainer.training.checkpointing import Checkpointer, digest_of
from judgestream_trainer.training.distributed import World, joined, shard
from judgestream_trainer.training.export import plain_weights, write_weights
from judgestream_trainer.training.loop import OnStep, Step, ignore, loop, precision
from judgestream_trainer.training.lora import adapt, adapter_tensors, write_adapter
from judgestream_trainer.training.model import based_on, recompute
from judgestream_trainer.training.packing import bins
from judgestream_trainer.training.run import (
    ADAPTER,
    CHECKPOINTS,
    deterministic,
    kernel_of,
    stopping,
)
from judgestream_trainer.training.value_objective import ValueModel, pack_values, value_gradients
from judgestream_trainer.training.value_sequences import ValueSequence, ValueStream

HEAD = "score.weight"
"""Name of the value head in transformers' sequence classifiers."""

CURVE = "development.jsonl"


def fine_tune_values(
    recipe: Recipe,
    groups: Sequence[Group],
    *,
    development: Sequence[Group],
    base: Path,
    out: Path,
    work: Path,
    on_step: OnStep = ignore,
    resume: bool = False,
) -> Path | None:
    """Train a reward model and write it to `out` as a `...ForSequenceClassification` folder with one label.

    The weights of the step with the lowest loss on `development` are written, measured every
    `records.save_every` steps; the curve is in `work`/development.jsonl. `out`/adapter holds the adapter and
    the value head in peft's format. None when SIGTERM stopped training.

    Raises:
        ConfigurationError: base and recipe do not match, or a checkpoint belongs to another training.
        TrainingFailed: no answer could be trained on, or the loss became NaN or infinite.
    """
    work.mkdir(parents=True, exist_ok=True)
    with joined() as world, deterministic():
        model, tokens = based_on(recipe, base)
        if recipe.lora.rank:
            adapt(model, recipe.lora, seed=recipe.seed)
        recompute(model, recipe.optimisation.recompute)
        value_model = ValueModel(model, kernel_of(recipe, model, world))
        shard(value_model, world, recipe.optimisation.precision)
        best = Best(
            model=value_model,
            held_out=_held_out(recipe, development, tokens),
            recipe=recipe,
            world=world,
            curve=work / CURVE,
            on_step=on_step,
        )
        with stopping() as stop:
            outcome = loop(
                value_model,
                ValueStream(
                    recipe=recipe, groups=groups, conversations=ConversationTokens(tokens=tokens)
                ),
                world,
                accumulate=value_gradients(recipe.preferences.comparable_weight),
                on_step=best,
                checkpointer=_checkpointer(recipe, groups, work, resume=resume),
                stop=stop,
            )
        if not outcome.finished:
            return None
        best.restore()
        if world.first:
            with whole_folder(out) as draft:
                write_values(draft, value_model, tokens, recipe, base=base.name)
        world.wait()
    return out


class Best:
    """The trained weights of the step with the lowest development loss so far, kept in memory.

    It is called after every step and measures every `records.save_every` steps and at the end.
    """

    def __init__(
        self,
        *,
        model: ValueModel,
        held_out: Sequence[ValueSequence],
        recipe: Recipe,
        world: World,
        curve: Path,
        on_step: OnStep,
    ) -> None:
        self._model, self._held_out, self._world = model, held_out, world
        self._recipe, self._curve, self._on_step = recipe, curve, on_step
        self._loss = float("inf")
        self._weights: dict[str, Tensor] = {}

    def __call__(self, step: Step) -> None:
        every = self._recipe.records.save_every
        due = step.step == step.steps or (every and step.step % every == 0)
        if self._held_out and due:
            loss, accuracy = development_loss(
                self._model, self._held_out, self._recipe, self._world
            )
            line = {"step": step.step, "loss": loss, "accuracy": accuracy, "train": step.smoothed}
            with self._curve.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
            if loss < self._loss:
                self._loss = loss
                self._weights = {
                    name: p.detach().clone()
                    for name, p in self._model.named_parameters()
                    if p.requires_grad
                }
        self._on_step(step)

    @torch.no_grad()
    def restore(self) -> None:
        """Put the best weights back; nothing without a development set."""
        for name, parameter in self._model.named_parameters():
            if name in self._weights:
                parameter.copy_(self._weights[name])


@torch.no_grad()
def development_loss(
    model: ValueModel, sequences: Sequence[ValueSequence], recipe: Recipe, world: World
) -> tuple[float, float]:
    """Mean loss per weighted pair, in nats, and the weighted share of the clear preferences (target beyond
    0.6) whose better answer has the higher value."""
    how = recipe.optimisation
    loss = weight = right = clear = 0.0
    for held in bins(sequences, tokens=how.row_tokens):
        batch = pack_values(held, world.device)
        with precision(how, world):
            values = model(batch)
        difference = values[batch.first] - values[batch.second]
        each = torch.nn.functional.binary_cross_entropy_with_logits(
            difference, batch.target, reduction="none"
        )
        sure = ((batch.target - 0.5).abs() > 0.1).float() * batch.weight
        agree = ((difference > 0) == (batch.target > 0.5)).float()
        loss += float((each * batch.weight).sum())
        weight += float(batch.weight.sum())
        right += float((agree * sure).sum())
        clear += float(sure.sum())
    return loss / max(weight, 1e-9), right / max(clear, 1e-9)


def write_values(
    folder: Path, model: ValueModel, tokens: Tokens, recipe: Recipe, *, base: str
) -> None:
    """Write the merged model, and the adapter beside it."""
    head = model.score.weight.detach().cpu()
    exact = recipe.optimisation.precision == "float32"
    weights = {
        name: tensor
        for name, tensor in plain_weights(model.model).items()
        if name != "lm_head.weight"
    }
    body: PreTrainedModel = model.model
    body.config.architectures = [type(body).__name__.replace("CausalLM", "SequenceClassification")]
    body.config.num_labels = 1
    write_weights(
        folder,
        {**weights, HEAD: head.to(torch.float32 if exact else torch.bfloat16)},
        body,
        tokens.tokenizer,
        dtype=None if exact else torch.bfloat16,
    )
    adapter = adapter_tensors(body)
    if adapter:
        tensors = {**adapter, f"base_model.model.{HEAD}": head}
        write_adapter(
            folder / ADAPTER,
            {name: tensor.to(torch.bfloat16).contiguous() for name, tensor in tensors.items()},
            recipe.lora,
            base=base,
            task="SEQ_CLS",
        )


def _held_out(recipe: Recipe, groups: Sequence[Group], tokens: Tokens) -> list[ValueSequence]:
    """One visit to every part of the development groups, without references."""
    if not groups:
        return []
    once = replace(
        recipe,
        preferences=replace(recipe.preferences, reference_probability=0.0),
    )
    stream = ValueStream(
        recipe=once, groups=groups, conversations=ConversationTokens(tokens=tokens)
    )
    return stream.visits()


def _checkpointer(
    recipe: Recipe, groups: Sequence[Group], work: Path, *, resume: bool
) -> Checkpointer:
    return Checkpointer(
        folder=work / CHECKPOINTS,
        identity={
            "recipe": digest_of(asdict(recipe)),
            "data": digest_of([asdict(group) for group in groups]),
        },
        batch=recipe.optimisation.batch,
        save_every=recipe.records.save_every,
        keep=recipe.records.keep,
        resume=resume,
    )
