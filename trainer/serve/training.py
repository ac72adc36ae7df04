"""The fine-tuning step of a round, by the trainer's own loop."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from trainer.examples import Example
from trainer.recipe import Recipe
from trainer.serve.round import FineTune


def fine_tuning(recipe: Recipe, console: Console) -> FineTune:
    """`fine_tune` with this recipe."""

    def step(examples: Sequence[Example], base: Path, work: Path) -> Path:
        raise NotImplementedError

    return step
