"""`judgestream ablate`: train every variant of an ablation with every seed, and write the table.

A run that is done is never done again: its figures are a file in the work folder. Several processes may
share one work folder, each with seeds of its own.
"""

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from judgestream.core.errors import ConfigurationError
from judgestream.engine.checkpoint import load
from judgestream.engine.judge import Judge
from judgestream_trainer.cards.ablation import VARIANTS, measured, summary, varied
from judgestream_trainer.files import write_whole
from judgestream_trainer.recipe import Recipe, load_recipe
from judgestream_trainer.training.export import write_model
from judgestream_trainer.training.metrics import recorded
from judgestream_trainer.training.run import train

RECIPE = Path(__file__).resolve().parents[1] / "recipes" / "ablation.yaml"


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--recipe", type=Path, default=RECIPE, help="what is varied (YAML)")
    parser.add_argument(
        "--work", type=Path, required=True, help="where every run leaves its figures"
    )
    parser.add_argument("--out", type=Path, help="the table, as `card --ablation` reads it (JSON)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--variants", nargs="+", choices=list(VARIANTS), default=list(VARIANTS))


def run(args: Namespace, console: Console) -> int:
    """0 also when a training was stopped by SIGTERM: the same command goes on with it."""
    recipe = load_recipe(args.recipe)
    if not recipe.from_nothing:
        raise ConfigurationError(f"{args.recipe}: an ablation trains judges from nothing")
    for seed in args.seeds:  # a seed of every variant before the next one: a short table early
        for variant in args.variants:
            if not _done(varied(recipe, variant, seed), args.work, variant, console):
                console.print("stopped; the same command goes on", markup=False)
                return 0
    if args.out is not None:
        write_whole(args.out, json.dumps(_table(recipe, args), indent=2) + "\n")
        console.print(f"the table is {args.out}", markup=False)
    return 0


def _done(recipe: Recipe, work: Path, variant: str, console: Console) -> bool:
    """Whether the run's figures are there, now or from earlier; False: it was asked to stop."""
    target = _figures_of(work, variant, recipe.seed)
    if target.exists():
        return True
    console.print(f"{variant}, seed {recipe.seed}", markup=False)
    folder = target.with_suffix("")
    with recorded(recipe, folder, console) as report:
        trained = train(recipe, report, work=folder, resume=True)
    if not trained.finished:
        return False
    with TemporaryDirectory() as holder:
        checkpoint = Path(holder) / "judge"
        write_model(checkpoint, trained.model, trained.tokenizer)
        figures = measured(Judge(load(checkpoint, device="cpu")), recipe)
    console.print(", ".join(f"{name} {value:.3f}" for name, value in figures.items()), markup=False)
    write_whole(target, json.dumps(figures, indent=2) + "\n")
    return True


def _table(recipe: Recipe, args: Namespace) -> dict[str, object]:
    runs = {
        variant: [
            json.loads(_figures_of(args.work, variant, seed).read_text("utf-8"))
            for seed in args.seeds
        ]
        for variant in args.variants
    }
    return {"note": _note(recipe, args.seeds), "rows": summary(runs)}


def _note(recipe: Recipe, seeds: Sequence[int]) -> str:
    how, lean = recipe.optimisation, recipe.lopsided
    return (
        f"Recipe `trainer/recipes/{recipe.name}.yaml`, trained to its end once per seed ({len(seeds)}"
        f" seeds): {how.examples:,} examples, {how.epochs} epochs; of the pairs with the worse answer first"
        f" {lean.better_first:.0%} are turned, and {lean.favour_first:.0%} of the scores lean a point to"
        " the first answer, as a teacher with position bias would give them. Mean ± standard deviation over"
        f" the seeds, on {recipe.evaluation.items} held-out items per family whose truth has no such lean."
        " `with` and `without` the reference; `new facts` are facts that were never trained, ties left"
        " out; here what cannot be read counts as wrong."
    )


def _figures_of(work: Path, variant: str, seed: int) -> Path:
    return work / f"{variant.replace(' ', '-').replace(',', '')}-{seed}.json"
