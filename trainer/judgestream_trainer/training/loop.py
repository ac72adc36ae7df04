"""The training loop: packed rows, one global batch a step, nothing hidden.

A step's loss is normalised over its whole global batch, so neither the rows that its sequences are packed
into nor the number of processes changes it beyond rounding.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import nn

from judgestream_trainer.failure import TrainingFailed
from judgestream_trainer.recipe import Optimisation
from judgestream_trainer.training.checkpointing import States, Training
from judgestream_trainer.training.data_order import Stream
from judgestream_trainer.training.distributed import World
from judgestream_trainer.training.model import flops_per_token
from judgestream_trainer.training.objective import Trainee
from judgestream_trainer.training.optimisers import Rated, optimizers, schedule, set_rate
from judgestream_trainer.training.packing import bins, pack
from judgestream_trainer.training.sequences import IGNORED, Row


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """A finished step, of `steps`. Loss in nats per weighted token; `smoothed` is its running mean.

    tokens, tokens_per_second  of this step, prompts and completions, all processes
    flops                      of the model, per token, as MFU counts them
    rate                       factor of the schedule
    norm                       the gradient's, before it was clipped; None when it is not
    seconds                    since training began, resumed parts included
    counts                     sequences read so far, and those that did not fit, by what was done
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


Report = Callable[[Step], None]


def silent(step: Step) -> None:
    """No report."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """`finished` is False when training was asked to stop: its state says where to go on."""

    finished: bool
    training: Training


def loop(
    trainee: Trainee,
    stream: Stream,
    world: World,
    *,
    report: Report = silent,
    states: States | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Outcome:
    """Train from the states' last step (or the first) to the supply's end.

    Raises:
        TrainingFailed: the loss became NaN or infinite (the message names the step), or no sequence was
            left to make a step with.
    """
    how = stream.recipe.optimisation
    rated = optimizers(how, trainee)
    training = Training()
    if states is not None:
        training = states.restore(trainee, rated, world) or training
    stream.skip(training.step)
    stream.counts.update(training.counts)
    began = time.perf_counter() - training.seconds
    steps = stream.supply.steps
    while training.step < steps:
        started = time.perf_counter()
        rows = stream.rows(training.step)
        factor = schedule(training.step, steps, warmup=how.warmup, final=how.final)
        set_rate(rated, factor)
        loss, norm, asked = _step(trainee, rated, rows, how, world, training.step + 1, stop())
        now = time.perf_counter()
        tokens = sum(len(row.ids) for row in rows)
        training = training.after(
            loss if rows else None,
            tokens=tokens,
            sequences=len(rows),
            seconds=now - began,
            counts=stream.counts,
        )
        report(
            Step(
                step=training.step,
                steps=steps,
                loss=loss,
                smoothed=loss if training.loss is None else training.loss,
                tokens=tokens,
                tokens_per_second=tokens / (now - started),
                flops=flops_per_token(trainee.model, tokens / max(1, len(rows))),
                rate=factor,
                norm=norm,
                seconds=now - began,
                counts=training.counts,
            )
        )
        last = training.step == steps
        if states is not None and (asked or last or states.due(training.step)):
            states.save(trainee, rated, world, training, stream.supply.per_epoch)
        if asked and not last:
            return Outcome(finished=False, training=training)
    if training.sequences == 0:
        raise TrainingFailed(f"no optimizer step was made ({stream.why()})")
    return Outcome(finished=True, training=training)


def _step(
    trainee: Trainee,
    rated: Sequence[Rated],
    rows: Sequence[Row],
    how: Optimisation,
    world: World,
    step: int,
    stop: bool,
) -> tuple[float, float | None, bool]:
    """One optimizer step: its loss, the gradient's norm, and whether any process was asked to stop.

    A step none of whose sequences fit has loss 0 and moves nothing.
    """
    for optimizer, _ in rated:
        optimizer.zero_grad(set_to_none=True)
    mine = gradients(trainee, rows, how, world) if rows else 0.0
    loss, asked = world.total((mine, float(stop)))
    if not math.isfinite(loss):
        raise TrainingFailed(
            f"the loss is {loss} at step {step}: lower the learning rates, or set optimisation.clip"
            " (resuming goes on from the last state that was saved)"
        )
    norm = None
    if how.clip and rows:
        total = nn.utils.clip_grad_norm_(trainee.parameters(), how.clip)
        norm = float(total.full_tensor() if hasattr(total, "full_tensor") else total)
    if rows:
        for optimizer, _ in rated:
            optimizer.step()
    return loss, norm, bool(asked)


def gradients(trainee: Trainee, rows: Sequence[Row], how: Optimisation, world: World) -> float:
    """Add up this process's share of a step's gradient; returns its share of the completion loss.

    Every term is weighed over the whole step, never per row: rows differ in what they hold. Sharded
    gradients are averaged over the processes, hence the factor.
    """
    weight = sum(
        row.score_tokens + how.explanation_weight * (len(row.ids) - row.prompt - row.score_tokens)
        for row in rows
    )
    marked = max(1, sum(flag != IGNORED for row in rows for flag in row.wrong))
    total = 0.0
    for held, counted in world.share(bins(rows, tokens=how.row_tokens)):
        batch = pack(held, explanation_weight=how.explanation_weight).to(world.device)
        with _precision(how, world):
            completion, flagged, ended = trainee(batch)
        guided = flagged / marked + ended / (2 * len(rows))
        loss = completion / weight + how.flag_weight * guided
        (loss * (world.size if counted else 0.0)).backward()
        total += float(completion.detach()) / weight if counted else 0.0
    return total


def _precision(how: Optimisation, world: World) -> AbstractContextManager[object]:
    """bf16 arithmetic over fp32 weights; sharded layers are cast when they are put together. No cache of
    cast weights: each is used once a forward, and together they would be half the model again."""
    if how.precision != "bfloat16" or world.mesh is not None:
        return nullcontext()
    return torch.autocast(world.device.type, torch.bfloat16, cache_enabled=False)
