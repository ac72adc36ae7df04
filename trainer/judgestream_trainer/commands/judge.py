"""`judgestream judge`: train a recipe's judge, measure it, and publish it as a checkpoint folder."""

import json
import shutil
from argparse import ArgumentParser, Namespace
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from judgestream.engine.checkpoint import load
from judgestream.engine.judge import Judge
from judgestream_trainer.cards.bundled import Card, TrainingRecord, differences, measure
from judgestream_trainer.cards.calibrate import fit
from judgestream_trainer.cards.folder import write_calibration, write_card
from judgestream_trainer.cards.out_of_domain import with_out_of_domain
from judgestream_trainer.files import whole_folder
from judgestream_trainer.recipe import Recipe, load_recipe
from judgestream_trainer.training.export import write_model
from judgestream_trainer.training.metrics import recorded
from judgestream_trainer.training.model import parameter_count
from judgestream_trainer.training.run import STATES, Trained, train

RECIPE = Path(__file__).resolve().parents[1] / "recipes" / "tiny.yaml"


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--recipe", type=Path, default=RECIPE, help="what to train (YAML)")
    parser.add_argument("--out", type=Path, required=True, help="the checkpoint folder to write")
    parser.add_argument(
        "--check", type=Path, help="a folder whose card the new one must agree with"
    )
    parser.add_argument(
        "--work", type=Path, help="metrics and states of the training (default: OUT.training)"
    )
    parser.add_argument("--resume", action="store_true", help="go on from the last whole state")
    parser.add_argument(
        "--foreign", type=Path, help="PandaLM's testset-v1.json, to report on it too"
    )


def run(args: Namespace, console: Console) -> int:
    """1: the new card departs from the earlier one."""
    work = args.work or args.out.with_name(f"{args.out.name}.training")
    return make_judge(
        args.recipe, args.out, args.check, args.foreign, console, work=work, resume=args.resume
    )


def make_judge(
    recipe_path: Path,
    out: Path,
    check: Path | None,
    foreign: Path | None,
    console: Console,
    *,
    work: Path,
    resume: bool = False,
) -> int:
    """Train, publish into `out`, measure through the engine; compare with the card in `check`.

    `work` holds the training's states and metrics; a training that was stopped (SIGTERM) can be resumed.
    """
    recipe = load_recipe(recipe_path)
    # read before anything is written: `check` and `out` may be the same folder
    earlier = json.loads((check / "evaluation.json").read_text("utf-8")) if check else None
    trained = _train(recipe, work, resume, console)
    if not trained.finished:
        console.print(f"stopped; resume with --work {work} --resume")
        return 0
    now = datetime.now(UTC)
    with whole_folder(out) as folder:
        write_model(folder, trained.model, trained.tokenizer)
        console.print("fitting the temperature, judging the held-out items ...")
        card = appraise(folder, recipe, _training(recipe, trained, now), foreign)
        manifest = write_card(
            folder,
            card,
            recipe,
            name=recipe.name,
            created_at=now.isoformat(timespec="seconds"),
        )
    shutil.rmtree(work / STATES, ignore_errors=True)
    for shown, figures in card.overall.items():
        console.print(
            f"{shown.replace('_', ' ')}: accuracy {figures.accuracy.share:.3f},"
            f" consistency {figures.consistency.share:.3f} on {figures.n} held-out items"
        )
    console.print(
        f"{recipe.name}-{manifest.short} is in {out}; its card is {out / 'EVALUATION.md'}"
    )
    if earlier is None:
        return 0
    apart = differences(card, earlier, recipe.evaluation.tolerance)
    for line in apart:
        console.print(f"departs from {check}: {line}", style="red", markup=False)
    if not apart:
        console.print(f"agrees with the card in {check} within {recipe.evaluation.tolerance:.2f}")
    return 1 if apart else 0


def appraise(folder: Path, recipe: Recipe, training: TrainingRecord, foreign: Path | None) -> Card:
    """Fit the temperature of the model in `folder`, write it there, and measure the judge that results."""
    fitted = fit(Judge(load(folder, device="cpu"), temperature=1.0), recipe)
    write_calibration(folder, fitted)
    judge = Judge(load(folder, device="cpu"))
    card = measure(judge, recipe, training, fitted)
    return card if foreign is None else with_out_of_domain(card, judge, foreign)


def _train(recipe: Recipe, work: Path, resume: bool, console: Console) -> Trained:
    with recorded(recipe, work, console) as report:
        trained = train(recipe, report, work=work, resume=resume)
    if trained.finished:
        console.print(f"trained in {trained.seconds / 60:.1f} minutes")
    return trained


def _training(recipe: Recipe, trained: Trained, now: datetime) -> TrainingRecord:
    return TrainingRecord(
        seconds=round(trained.seconds, 1),
        steps=recipe.optimisation.steps,
        pairs=trained.pairs,
        tokens=trained.tokens,
        parameters=parameter_count(trained.model),
        date=now.date().isoformat(),
    )
