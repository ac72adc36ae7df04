"""An ablation: every variant trained with every seed, and the table of their figures.

A finished run is not repeated: its figures are a file in the work folder. Several processes may share a work
folder if their seeds differ.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from judgestream.core.errors import ConfigurationError
from judgestream.engine.checkpoint import load
from judgestream.engine.judge import Judge
from judgestream.terminal.exit_codes import ExitCode
from judgestream_trainer.cards.ablation import VARIANTS, measured, summary, varied
from judgestream_trainer.files import write_whole
from judgestream_trainer.recipe import Recipe, load_recipe
from judgestream_trainer.training.export import write_model
from judgestream_trainer.training.metrics import recorded
from judgestream_trainer.training.run import train


def ablate(
    *,
    recipe_file: Path,
    work: Path,
    out: Path | None,
    seeds: Sequence[int],
    variants: Sequence[str] | None,
    console: Console,
) -> ExitCode:
    """OK also when a training was stopped by SIGTERM: the same call continues."""
    recipe = load_recipe(recipe_file)
    if not recipe.from_nothing:
        raise ConfigurationError(f"{recipe_file}: an ablation trains judges from nothing")
    chosen = _variants(variants)
    # one seed of every variant before the next seed: a preliminary table early
    for seed in seeds:
        for variant in chosen:
            if not _done(varied(recipe, variant, seed), work, variant, console):
                console.print("stopped; the same command continues", markup=False)
                return ExitCode.OK
    if out is not None:
        write_whole(out, json.dumps(_table(recipe, work, seeds, chosen), indent=2) + "\n")
        console.print(f"the table is {out}", markup=False)
    return ExitCode.OK


def _variants(names: Sequence[str] | None) -> Sequence[str]:
    """The variants to train: those named, or all."""
    unknown = [name for name in names or () if name not in VARIANTS]
    if unknown:
        raise ConfigurationError(
            f"--variant {unknown[0]!r} is unknown: use one of {', '.join(VARIANTS)}"
        )
    return list(names or VARIANTS)


def _done(recipe: Recipe, work: Path, variant: str, console: Console) -> bool:
    """Do the run unless its figures are there already. False: training was stopped."""
    target = _figures_of(work, variant, recipe.seed)
    if target.exists():
        return True
    console.print(f"{variant}, seed {recipe.seed}", markup=False)
    folder = target.with_suffix("")
    with recorded(recipe, folder, console) as on_step:
        trained = train(recipe, on_step, work=folder, resume=True)
    if not trained.finished:
        return False
    with TemporaryDirectory() as holder:
        checkpoint = Path(holder) / "judge"
        write_model(checkpoint, trained.model, trained.tokenizer)
        figures = measured(Judge(load(checkpoint, device="cpu")), recipe)
    console.print(", ".join(f"{name} {value:.3f}" for name, value in figures.items()), markup=False)
    write_whole(target, json.dumps(figures, indent=2) + "\n")
    return True


def _table(
    recipe: Recipe, work: Path, seeds: Sequence[int], variants: Sequence[str]
) -> dict[str, object]:
    runs = {
        variant: [json.loads(_figures_of(work, variant, seed).read_text("utf-8")) for seed in seeds]
        for variant in variants
    }
    return {"note": _note(recipe, seeds), "rows": summary(runs)}


def _note(recipe: Recipe, seeds: Sequence[int]) -> str:
    optimisation, bias = recipe.optimisation, recipe.lopsided
    return (
        f"Recipe `{recipe.name}.yaml`, trained to completion with {len(seeds)} seeds:"
        f" {optimisation.examples:,} examples, {optimisation.epochs} epochs. The training data simulate"
        f" position bias: {bias.better_first:.0%} of the pairs with the worse answer first are swapped, and"
        f" {bias.favour_first:.0%} of the judgements move one point from the second answer to the first."
        " Figures are mean ± standard deviation over the seeds, on"
        f" {recipe.evaluation.items} held-out items per family without this bias. `with` and `without` refer"
        " to the reference. `new facts` is the accuracy on facts that are never trained, ties left out. An"
        " unreadable reply counts as wrong."
    )


def _figures_of(work: Path, variant: str, seed: int) -> Path:
    return work / f"{variant.replace(' ', '-').replace(',', '')}-{seed}.json"
