"""Optimizers of a recipe and their learning-rate schedule."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from judgestream_trainer.recipe import Optimisation
from judgestream_trainer.training.objective import Trainable

Rated = tuple[torch.optim.Optimizer, float]
"""An optimizer and its peak learning rate."""


def optimizers(how: Optimisation, training_model: Trainable) -> Sequence[Rated]:
    """AdamW for everything, or Muon (Jordan et al. 2024) for the matrices inside the layers and AdamW for
    the rest. AdamW is fused: the other implementations make temporary copies as large as the model."""
    trained = [p for p in training_model.parameters() if p.requires_grad]
    matrices = _matrices(training_model) if how.optimizer == "muon" else []
    inside = {id(p) for p in matrices}
    rest = torch.optim.AdamW(
        [p for p in trained if id(p) not in inside],
        lr=how.other_lr,
        betas=(0.9, how.beta2),
        weight_decay=how.weight_decay,
        fused=True,
    )
    if not matrices:
        return ((rest, how.other_lr),)
    muon = torch.optim.Muon(matrices, lr=how.matrix_lr, weight_decay=how.weight_decay)
    return ((muon, how.matrix_lr), (rest, how.other_lr))


def set_rate(rated: Sequence[Rated], factor: float) -> None:
    for optimizer, rate in rated:
        for group in optimizer.param_groups:
            group["lr"] = rate * factor


def schedule(step: int, steps: int, *, warmup: float, final: float) -> float:
    """The learning-rate factor: linear warm-up, then a cosine down to `final`."""
    rising = max(1, round(steps * warmup))
    if step < rising:
        return (step + 1) / rising
    progress = (step - rising) / max(1, steps - rising)
    return final + (1 - final) * 0.5 * (1 + math.cos(math.pi * progress))


def _matrices(training_model: Trainable) -> list[nn.Parameter]:
    layers: Any = training_model.model.base_model.layers
    return [p for p in layers.parameters() if p.dim() == 2 and p.requires_grad]
