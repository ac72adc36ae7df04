"""Training runs: from nothing on generated tasks, or fine-tuning a base on judged examples."""

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from judgestream.engine import training_attention
from judgestream.engine.tokens import Tokens
from judgestream_trainer.data.example import Example
from judgestream_trainer.failure import TrainingFailed
from judgestream_trainer.files import whole_folder
from judgestream_trainer.recipe import Recipe
from judgestream_trainer.tasks import FAMILIES, items
from judgestream_trainer.training.checkpointing import Checkpointer, digest_of
from judgestream_trainer.training.data_order import Stream, supply
from judgestream_trainer.training.distributed import World, joined, shard
from judgestream_trainer.training.export import fingerprint, plain_weights, write_weights
from judgestream_trainer.training.loop import OnStep, Outcome, ignore, loop
from judgestream_trainer.training.lora import adapt, adapter_tensors, write_adapter
from judgestream_trainer.training.model import based_on, fresh, recompute
from judgestream_trainer.training.objective import AuxiliaryHeads, TrainingModel
from judgestream_trainer.training.tokenizer import train_tokenizer

CORPUS_ITEMS = 1500
"""Items per family whose text trains the tokenizer."""

CHECKPOINTS = "states"
"""Folder of the training checkpoints in the work folder."""

ADAPTER = "adapter"


@dataclass(frozen=True, kw_only=True, slots=True)
class Trained:
    """A trained model, without its auxiliary heads. `seconds` is wall time.

    `finished` is False when training was stopped.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    loss: float
    seconds: float
    tokens: int
    pairs: int
    finished: bool = True


def train(
    recipe: Recipe, on_step: OnStep = ignore, *, work: Path | None = None, resume: bool = False
) -> Trained:
    """Train the recipe's judge from nothing. `work` is the folder of the training checkpoints.

    Deterministic: one thread, derived seeds, deterministic kernels. Another CPU may round differently: expect
    the same card there, not the same bytes.
    """
    with joined() as world, repeatable():
        tokenizer = build_tokenizer(recipe)
        tokens = Tokens.of(tokenizer, eos=frozenset({int(tokenizer.eos_token_id)}))
        model = fresh(recipe, tokenizer)
        outcome = train_model(
            recipe, model, tokens, None, world, on_step=on_step, work=work, resume=resume
        )
    return _trained(model, tokenizer, outcome)


def fine_tune(
    recipe: Recipe,
    examples: Sequence[Example] | None,
    *,
    base: Path,
    out: Path,
    on_step: OnStep = ignore,
    work: Path | None = None,
    resume: bool = False,
) -> Path | None:
    """Fine-tune the model in folder `base` and write a Hugging Face folder (without a manifest) to `out`.

    examples  training data; None: the recipe's generated tasks
    work      folder of the training checkpoints
    With LoRA the weights in `out` are merged, and `out`/adapter holds the adapter in peft's format.
    None when SIGTERM stopped training: a checkpoint is saved and `out` is not written.

    Raises:
        ConfigurationError: base and recipe do not match, or a checkpoint belongs to a different training.
        TrainingFailed: no example could be trained on, the loss became NaN or infinite, or no weight changed:
            `out` is not written.
    """
    # a judge is stored in fp32 only if it was trained in fp32
    exact = recipe.optimisation.precision == "float32"
    stored = None if exact else torch.bfloat16
    with joined() as world, deterministic():
        model, tokens = based_on(recipe, base)
        if recipe.lora.rank:
            adapt(model, recipe.lora, seed=recipe.seed)
        before = fingerprint(model, stored)
        outcome = train_model(
            recipe, model, tokens, examples, world, on_step=on_step, work=work, resume=resume
        )
        if not outcome.finished:
            return None
        if fingerprint(model, stored) == before:
            raise TrainingFailed(
                f"training changed no weight of {base} as it is stored: raise the learning rates of recipe"
                f" {recipe.name}, or train longer"
            )
        tensors, adapter = plain_weights(model), adapter_tensors(model)
        if world.first:
            with whole_folder(out) as draft:
                write_weights(draft, tensors, model, tokens.tokenizer, dtype=stored)
                if adapter:
                    write_adapter(draft / ADAPTER, adapter, recipe.lora, base=base.name)
        world.wait()
    return out


def train_model(
    recipe: Recipe,
    model: PreTrainedModel,
    tokens: Tokens,
    examples: Sequence[Example] | None,
    world: World,
    *,
    on_step: OnStep = ignore,
    work: Path | None = None,
    resume: bool = False,
) -> Outcome:
    """Train a model in place, on the examples or (None) on the recipe's tasks."""
    how = recipe.optimisation
    recompute(model, how.recompute)
    training_model = TrainingModel(model, _heads(recipe, model), kernel_of(recipe, model, world))
    shard(training_model, world, how.precision)
    stream = Stream(recipe=recipe, supply=supply(recipe, examples), tokens=tokens)
    checkpointer = None
    if work is not None:
        data = "tasks" if examples is None else digest_of([asdict(example) for example in examples])
        checkpointer = Checkpointer(
            folder=work / CHECKPOINTS,
            identity={"recipe": digest_of(asdict(recipe)), "data": data},
            batch=how.batch,
            save_every=recipe.records.save_every,
            keep=recipe.records.keep,
            resume=resume,
        )
    with stopping() as stop:
        return loop(
            training_model,
            stream,
            world,
            on_step=on_step,
            checkpointer=checkpointer,
            stop=stop,
        )


def build_tokenizer(recipe: Recipe) -> PreTrainedTokenizerFast:
    """The recipe's tokenizer, trained on training items only."""
    texts = (
        text
        for family in FAMILIES.values()
        for item in islice(items(family, seed=recipe.seed, held_out=False), CORPUS_ITEMS)
        for text in (
            item.question,
            item.reference,
            item.explanation,
            *(a.text for a in item.answers),
        )
    )
    return train_tokenizer(texts, vocab_size=recipe.size.vocab, max_tokens=recipe.size.max_input)


@contextmanager
def repeatable() -> Iterator[None]:
    """Deterministic kernels and one thread: the same bits for any number of cores."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with deterministic():
            yield
    finally:
        torch.set_num_threads(threads)


@contextmanager
def deterministic() -> Iterator[None]:
    """Deterministic kernels, on CPUs."""
    fill: Any = torch.utils.deterministic
    before, filled = torch.are_deterministic_algorithms_enabled(), fill.fill_uninitialized_memory
    torch.use_deterministic_algorithms(not torch.cuda.is_available())
    # a guard against bugs that costs 5 % of the time
    fill.fill_uninitialized_memory = False
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)
        fill.fill_uninitialized_memory = filled


@contextmanager
def stopping() -> Iterator[Callable[[], bool]]:
    """A function that tells whether SIGTERM has arrived; always False outside the main thread."""
    received: list[int] = []
    try:
        before = signal.signal(signal.SIGTERM, lambda number, frame: received.append(number))
    except ValueError:
        yield lambda: False
        return
    try:
        yield lambda: bool(received)
    finally:
        signal.signal(signal.SIGTERM, before)


def _heads(recipe: Recipe, model: PreTrainedModel) -> AuxiliaryHeads | None:
    if not recipe.optimisation.flag_weight:
        return None
    return AuxiliaryHeads(int(model.config.hidden_size), int(model.config.num_hidden_layers))


def kernel_of(recipe: Recipe, model: PreTrainedModel, world: World) -> training_attention.Kernel:
    """The fastest attention that is right on this machine."""
    config = model.config
    heads = int(config.num_attention_heads)
    width = int(getattr(config, "head_dim", None) or config.hidden_size // heads)
    exact = recipe.optimisation.precision == "float32"
    dtype = torch.float32 if exact else torch.bfloat16
    name = training_attention.choose(
        world.device, dtype, heads, int(config.num_key_value_heads), width
    )
    return training_attention.KERNELS[name]


def _trained(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, outcome: Outcome
) -> Trained:
    done = outcome.progress
    return Trained(
        model=model,
        tokenizer=tokenizer,
        loss=0.0 if done.loss is None else done.loss,
        seconds=done.seconds,
        tokens=done.tokens,
        pairs=done.sequences,
        finished=outcome.finished,
    )
