"""`judgestream train`: train a judge and leave it as a Hugging Face folder; `evaluate` and `publish`
make a release of it."""

import shutil
from argparse import ArgumentParser, Namespace
from pathlib import Path

import torch
from rich.console import Console

from judgestream.core.errors import ConfigurationError
from judgestream.engine.devices import peak_flops
from judgestream_trainer.data import read_examples
from judgestream_trainer.data.example import Example
from judgestream_trainer.recipe import Recipe, load_recipe
from judgestream_trainer.training.export import write_model
from judgestream_trainer.training.loop import Report
from judgestream_trainer.training.metrics import recorded
from judgestream_trainer.training.run import STATES, fine_tune, train


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--recipe", type=Path, required=True, help="how to train (YAML)")
    parser.add_argument(
        "--out", type=Path, required=True, help="the folder to write the judge into"
    )
    parser.add_argument("--base", type=Path, help="the Hugging Face folder to fine-tune")
    parser.add_argument("--data", type=Path, nargs="+", help="judged examples (JSON lines)")
    parser.add_argument(
        "--work", type=Path, help="metrics and states of the training (default: OUT.training)"
    )
    parser.add_argument("--resume", action="store_true", help="go on from the last whole state")
    parser.add_argument(
        "--peak-tflops", type=float, help="the device's peak, for MFU (known for common GPUs)"
    )


def run(args: Namespace, console: Console) -> int:
    """0 also when training was stopped by SIGTERM: it can be resumed."""
    recipe = load_recipe(args.recipe)
    work = args.work or args.out.with_name(f"{args.out.name}.training")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    peak = args.peak_tflops * 1e12 if args.peak_tflops else peak_flops(device)
    if recipe.from_nothing == (args.base is not None):
        raise ConfigurationError(
            f"{args.recipe} trains a judge from nothing: leave out --base"
            if recipe.from_nothing
            else f"{args.recipe} fine-tunes: name the model with --base"
        )
    examples = _examples(args.data, recipe, console)
    with recorded(recipe, work, console, peak=peak) as report:
        finished = _train(recipe, examples, args, work, report)
    if not finished:
        console.print(f"stopped; resume with --work {work} --resume", markup=False)
        return 0
    shutil.rmtree(work / STATES, ignore_errors=True)
    console.print(f"the judge is in {args.out}; its training's course in {work}", markup=False)
    return 0


def _examples(paths: list[Path] | None, recipe: Recipe, console: Console) -> list[Example] | None:
    if not paths:
        if not recipe.families:
            raise ConfigurationError("the recipe has no task families: name files with --data")
        return None
    if recipe.from_nothing:
        raise ConfigurationError("a judge from nothing learns generated tasks: leave out --data")
    examples, counts = read_examples(paths)
    console.print(f"{len(examples)} examples; {counts}", markup=False)
    return list(examples)


def _train(
    recipe: Recipe, examples: list[Example] | None, args: Namespace, work: Path, report: Report
) -> bool:
    if args.base is not None:
        done = fine_tune(
            recipe,
            examples,
            base=args.base,
            out=args.out,
            report=report,
            work=work,
            resume=args.resume,
        )
        return done is not None
    trained = train(recipe, report, work=work, resume=args.resume)
    if trained.finished:
        write_model(args.out, trained.model, trained.tokenizer)
    return trained.finished
