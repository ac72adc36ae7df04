"""Training a judge: from nothing on the generated tasks, or a base on judged examples."""

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
from judgestream_trainer.training.checkpointing import States, digest_of
from judgestream_trainer.training.data_order import Stream, supply
from judgestream_trainer.training.distributed import World, joined, shard
from judgestream_trainer.training.export import fingerprint, plain_weights, write_weights
from judgestream_trainer.training.loop import Outcome, Report, loop, silent
from judgestream_trainer.training.lora import adapt, adapter_tensors, write_adapter
from judgestream_trainer.training.model import based_on, fresh, recompute
from judgestream_trainer.training.objective import Heads, Trainee
from judgestream_trainer.training.tokenizer import train_tokenizer

CORPUS_ITEMS = 1500
"""Items per family whose text the tokenizer's merges are learned from."""

STATES = "states"
ADAPTER = "adapter"


@dataclass(frozen=True, kw_only=True, slots=True)
class Trained:
    """What training leaves behind; the guiding heads are thrown away. `seconds` is wall time.

    `finished` is False when it was asked to stop.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    loss: float
    seconds: float
    tokens: int
    pairs: int
    finished: bool = True


def train(
    recipe: Recipe, report: Report = silent, *, work: Path | None = None, resume: bool = False
) -> Trained:
    """Train the recipe's judge from nothing. `work` is a folder for states to resume from.

    Deterministic: one thread, derived seeds, deterministic kernels. Another CPU may round differently,
    so elsewhere expect the same card, not the same bytes.
    """
    with joined() as world, repeatable():
        tokenizer = build_tokenizer(recipe)
        tokens = Tokens.of(tokenizer, eos=frozenset({int(tokenizer.eos_token_id)}))
        model = fresh(recipe, tokenizer)
        outcome = train_model(
            recipe, model, tokens, None, world, report=report, work=work, resume=resume
        )
    return _trained(model, tokenizer, outcome)


def fine_tune(
    recipe: Recipe,
    examples: Sequence[Example] | None,
    *,
    base: Path,
    out: Path,
    report: Report = silent,
    work: Path | None = None,
    resume: bool = False,
) -> Path | None:
    """Train the base in folder `base` and leave a Hugging Face folder (no manifest yet) in `out`.

    examples  what to train on; None: the recipe's generated tasks
    work      a folder for states to resume from
    Under LoRA the weights in `out` are merged, and the adapter alone, as peft reads it, is in `out`/adapter.
    None when training was asked to stop (SIGTERM): its state is saved, `out` is not written.

    Raises:
        ConfigurationError: the base and the recipe do not fit, or a state is of another training.
        TrainingFailed: nothing of the examples could be trained on, the loss became NaN or infinite, or no
            weight changed: `out` is not written.
    """
    # what a judge is stored in: fp32 only where that is what it was trained in
    exact = recipe.optimisation.precision == "float32"
    stored = None if exact else torch.bfloat16
    with joined() as world, deterministic():
        model, tokens = based_on(recipe, base)
        if recipe.lora.rank:
            adapt(model, recipe.lora, seed=recipe.seed)
        before = fingerprint(model, stored)
        outcome = train_model(
            recipe, model, tokens, examples, world, report=report, work=work, resume=resume
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
    report: Report = silent,
    work: Path | None = None,
    resume: bool = False,
) -> Outcome:
    """Train this model in place, on the examples or (None) on the recipe's tasks."""
    how = recipe.optimisation
    recompute(model, how.recompute)
    trainee = Trainee(model, _heads(recipe, model), _kernel(recipe, model, world))
    shard(trainee, world, how.precision)
    stream = Stream(recipe=recipe, supply=supply(recipe, examples), tokens=tokens)
    states = None
    if work is not None:
        data = "tasks" if examples is None else digest_of([asdict(one) for one in examples])
        states = States(
            folder=work / STATES,
            identity={"recipe": digest_of(asdict(recipe)), "data": data},
            batch=how.batch,
            save_every=recipe.records.save_every,
            keep=recipe.records.keep,
            resume=resume,
        )
    with stopping() as stop:
        return loop(trainee, stream, world, report=report, states=states, stop=stop)


def build_tokenizer(recipe: Recipe) -> PreTrainedTokenizerFast:
    """The recipe's tokenizer, its merges learned from training items only."""
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
    """Deterministic kernels, and one thread: the same bits however many cores there are."""
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
    was, filled = torch.are_deterministic_algorithms_enabled(), fill.fill_uninitialized_memory
    torch.use_deterministic_algorithms(not torch.cuda.is_available())
    fill.fill_uninitialized_memory = False  # a guard against bugs, 5 % of time
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(was)
        fill.fill_uninitialized_memory = filled


@contextmanager
def stopping() -> Iterator[Callable[[], bool]]:
    """Whether SIGTERM has come. Outside the main thread nobody can listen for it: then it never has."""
    asked: list[int] = []
    try:
        before = signal.signal(signal.SIGTERM, lambda number, frame: asked.append(number))
    except ValueError:
        yield lambda: False
        return
    try:
        yield lambda: bool(asked)
    finally:
        signal.signal(signal.SIGTERM, before)


def _heads(recipe: Recipe, model: PreTrainedModel) -> Heads | None:
    if not recipe.optimisation.flag_weight:
        return None
    return Heads(int(model.config.hidden_size), int(model.config.num_hidden_layers))


def _kernel(recipe: Recipe, model: PreTrainedModel, world: World) -> training_attention.Kernel:
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
    done = outcome.training
    return Trained(
        model=model,
        tokenizer=tokenizer,
        loss=0.0 if done.loss is None else done.loss,
        seconds=done.seconds,
        tokens=done.tokens,
        pairs=done.sequences,
        finished=outcome.finished,
    )
