"""The training loop: packed batches, one optimizer step per global batch.

A step's loss is normalised over its global batch, so neither the packing nor the number of processes changes
it beyond rounding.
"""

import math
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import nn

from judgestream_trainer.failure import TrainingFailed
from judgestream_trainer.recipe import Optimisation, Recipe
from judgestream_trainer.training.checkpointing import Checkpointer, TrainingProgress
from judgestream_trainer.training.data_order import Extent
from judgestream_trainer.training.distributed import World
from judgestream_trainer.training.model import flops_per_token
from judgestream_trainer.training.objective import Trainable, TrainingModel
from judgestream_trainer.training.optimisers import Rated, optimizers, schedule, set_rate
from judgestream_trainer.training.packing import bins, pack
from judgestream_trainer.training.sequences import IGNORED, TrainingSequence


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """A finished step out of `steps`. Loss in nats per weighted token; `smoothed` is its running mean.

    tokens, tokens_per_second  of this step, prompts and completions, all processes
    flops                      model FLOPs per token, as MFU counts them
    rate                       learning-rate factor of the schedule
    norm                       gradient norm before clipping; None without clipping
    seconds                    since training began, including the time before a resume
    counts                     sequences read so far, and those that did not fit, by reason
    """

    step: int
    steps: int
    loss: float
    smoothed: float
    tokens: int
    tokens_per_second: float
    flops: float
    rate: float
    norm: float | None
    seconds: float
    counts: Mapping[str, int]


class Source(Protocol):
    """The data of a training, by step. `counts` has the sequences that were read or did not fit."""

    recipe: Recipe
    counts: Counter[str]

    @property
    def supply(self) -> Extent: ...

    def skip(self, steps: int) -> None:
        """Continue after this many steps."""

    def sequences(self, step: int) -> Sequence[Any]:
        """The sequences of a step; each has its tokens as `ids`."""

    def explanation(self) -> str:
        """The counts so far, for an error message."""


Gradients = Callable[[Any, Sequence[Any], Optimisation, World], float]
"""Model, sequences of a step, recipe, processes -> this process's share of the step's loss. The gradient is
accumulated in the model."""

OnStep = Callable[[Step], None]
"""Called after every step."""


def ignore(step: Step) -> None:
    """The default callback: does nothing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """`finished` is False when training was stopped; the last checkpoint resumes it."""

    finished: bool
    progress: TrainingProgress


def gradients(
    training_model: TrainingModel,
    sequences: Sequence[TrainingSequence],
    how: Optimisation,
    world: World,
) -> float:
    """Accumulate this process's share of a step's gradient; returns its share of the completion loss.

    Every term is normalised over the whole step, never per packed batch, since batches hold different numbers
    of supervised tokens. FSDP averages gradients over the processes, hence the factor `world.size`.
    """
    weight = sum(
        sequence.score_tokens
        + how.explanation_weight * (len(sequence.ids) - sequence.prompt - sequence.score_tokens)
        for sequence in sequences
    )
    marked = max(1, sum(flag != IGNORED for sequence in sequences for flag in sequence.wrong))
    total = 0.0
    for held, counted in world.share(bins(sequences, tokens=how.row_tokens)):
        batch = pack(held, explanation_weight=how.explanation_weight).to(world.device)
        with precision(how, world):
            completion, flagged, ended = training_model(batch)
        guided = flagged / marked + ended / (2 * len(sequences))
        loss = completion / weight + how.flag_weight * guided
        (loss * (world.size if counted else 0.0)).backward()
        total += float(completion.detach()) / weight if counted else 0.0
    return total


def precision(how: Optimisation, world: World) -> AbstractContextManager[object]:
    """bf16 arithmetic over fp32 weights. FSDP casts sharded layers itself. Without a cache of cast weights:
    each is used once per forward, and together they would take half the model's memory again."""
    if how.precision != "bfloat16" or world.mesh is not None:
        return nullcontext()
    return torch.autocast(world.device.type, torch.bfloat16, cache_enabled=False)


def loop(
    training_model: Trainable,
    stream: Source,
    world: World,
    *,
    accumulate: Gradients = gradients,
    on_step: OnStep = ignore,
    checkpointer: Checkpointer | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Outcome:
    """Train from the last checkpoint (or the first step) to the end of the data.

    Args:
        accumulate: the objective.
        stop: asked before every step; True ends training after that step, with a checkpoint.

    Raises:
        TrainingFailed: the loss became NaN or infinite (the message names the step), or no step had a
            sequence to train on.
    """
    how = stream.recipe.optimisation
    rated = optimizers(how, training_model)
    progress = TrainingProgress()
    if checkpointer is not None:
        progress = checkpointer.restore(training_model, rated, world) or progress
    stream.skip(progress.step)
    stream.counts.update(progress.counts)
    began = time.perf_counter() - progress.seconds
    steps = stream.supply.steps
    while progress.step < steps:
        started = time.perf_counter()
        sequences = stream.sequences(progress.step)
        factor = schedule(progress.step, steps, warmup=how.warmup, final=how.final)
        set_rate(rated, factor)
        loss, norm, stopped = _step(
            training_model, rated, sequences, accumulate, world, how, progress.step + 1, stop()
        )
        now = time.perf_counter()
        tokens = sum(len(sequence.ids) for sequence in sequences)
        progress = progress.after(
            loss if sequences else None,
            tokens=tokens,
            sequences=len(sequences),
            seconds=now - began,
            counts=stream.counts,
        )
        on_step(
            Step(
                step=progress.step,
                steps=steps,
                loss=loss,
                smoothed=loss if progress.loss is None else progress.loss,
                tokens=tokens,
                tokens_per_second=tokens / (now - started),
                flops=flops_per_token(training_model.model, tokens / max(1, len(sequences))),
                rate=factor,
                norm=norm,
                seconds=now - began,
                counts=progress.counts,
            )
        )
        last = progress.step == steps
        if checkpointer is not None and (stopped or last or checkpointer.due(progress.step)):
            checkpointer.save(training_model, rated, world, progress, stream.supply.per_epoch)
        if stopped and not last:
            return Outcome(finished=False, progress=progress)
    if progress.sequences == 0:
        raise TrainingFailed(f"no optimizer step was made ({stream.explanation()})")
    return Outcome(finished=True, progress=progress)


def _step(
    training_model: Trainable,
    rated: Sequence[Rated],
    sequences: Sequence[Any],
    accumulate: Gradients,
    world: World,
    how: Optimisation,
    step: int,
    stop: bool,
) -> tuple[float, float | None, bool]:
    """One optimizer step: its loss, its gradient norm, and whether any process was asked to stop.

    A step without a sequence that fits has loss 0 and changes no weight.
    """
    for optimizer, _ in rated:
        optimizer.zero_grad(set_to_none=True)
    mine = accumulate(training_model, sequences, how, world) if sequences else 0.0
    loss, stops = world.total((mine, float(stop)))
    if not math.isfinite(loss):
        raise TrainingFailed(
            f"the loss became NaN or infinite at step {step}: lower the learning rates, or set"
            " optimisation.clip (--resume continues from the last checkpoint)"
        )
    norm = None
    if how.clip and sequences:
        total = nn.utils.clip_grad_norm_(training_model.parameters(), how.clip)
        norm = float(total.full_tensor() if hasattr(total, "full_tensor") else total)
    if sequences:
        for optimizer, _ in rated:
            optimizer.step()
    return loss, norm, bool(stops)
