"""A judge trained by a recipe and written as a Hugging Face folder."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import torch
from rich.console import Console

from judgestream.core.errors import ConfigurationError
from judgestream.engine.devices import peak_flops
from judgestream.terminal.exit_codes import ExitCode
from judgestream_trainer.data import read_examples
from judgestream_trainer.data.example import Example
from judgestream_trainer.jobs.rewards import groups_of, train_rewards
from judgestream_trainer.recipe import Recipe, load_recipe
from judgestream_trainer.training.export import write_model
from judgestream_trainer.training.loop import OnStep
from judgestream_trainer.training.metrics import recorded
from judgestream_trainer.training.run import CHECKPOINTS, fine_tune
from judgestream_trainer.training.run import train as train_from_nothing


def train(
    *,
    recipe_file: Path,
    out: Path,
    base: Path | None,
    data: Sequence[Path],
    work: Path,
    resume: bool,
    peak_tflops: float | None,
    console: Console,
) -> ExitCode:
    """OK also when training was stopped by SIGTERM: it can be resumed."""
    recipe = load_recipe(recipe_file)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    peak = peak_tflops * 1e12 if peak_tflops else peak_flops(device)
    if recipe.from_nothing == (base is not None):
        raise ConfigurationError(
            f"{recipe_file} trains a judge from nothing: remove --base"
            if recipe.from_nothing
            else f"{recipe_file} fine-tunes: name the model with --base"
        )
    if recipe.rewards:
        groups = groups_of(data, recipe)
        console.print(f"{len(groups)} groups of graded answers", markup=False)
    else:
        examples = _examples(data, recipe, console)
    with recorded(recipe, work, console, peak=peak) as on_step:
        if recipe.rewards and base is not None:
            finished = train_rewards(
                recipe, groups, base=base, out=out, work=work, on_step=on_step, resume=resume
            )
        elif base is None:
            finished = _from_nothing(recipe, out, work, resume=resume, on_step=on_step)
        else:
            finished = (
                fine_tune(
                    recipe,
                    examples,
                    base=base,
                    out=out,
                    on_step=on_step,
                    work=work,
                    resume=resume,
                )
                is not None
            )
    if not finished:
        console.print(f"stopped; resume with --work {work} --resume", markup=False)
        return ExitCode.OK
    shutil.rmtree(work / CHECKPOINTS, ignore_errors=True)
    console.print(f"the judge is in {out}, the training metrics in {work}", markup=False)
    return ExitCode.OK


def _from_nothing(recipe: Recipe, out: Path, work: Path, *, resume: bool, on_step: OnStep) -> bool:
    trained = train_from_nothing(recipe, on_step, work=work, resume=resume)
    if trained.finished:
        write_model(out, trained.model, trained.tokenizer)
    return trained.finished


def _examples(paths: Sequence[Path], recipe: Recipe, console: Console) -> list[Example] | None:
    if not paths:
        if not recipe.families:
            raise ConfigurationError("the recipe has no task families: name files with --data")
        return None
    if recipe.from_nothing:
        raise ConfigurationError(
            "a judge from nothing is trained on generated tasks: remove --data"
        )
    examples, counts = read_examples(paths)
    console.print(f"{len(examples)} examples; {counts}", markup=False)
    return list(examples)
