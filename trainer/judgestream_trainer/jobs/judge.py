"""A bundled judge: trained from nothing, measured, and written as a checkpoint folder."""

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from judgestream.engine.checkpoint import load
from judgestream.engine.judge import Judge
from judgestream.terminal.exit_codes import ExitCode
from judgestream_trainer.cards.bundled import Card, TrainingRecord, differences, measure
from judgestream_trainer.cards.calibrate import fit
from judgestream_trainer.cards.folder import write_calibration, write_card
from judgestream_trainer.cards.out_of_domain import with_out_of_domain
from judgestream_trainer.files import whole_folder
from judgestream_trainer.recipe import Recipe, load_recipe
from judgestream_trainer.training.export import write_model
from judgestream_trainer.training.metrics import recorded
from judgestream_trainer.training.model import parameter_count
from judgestream_trainer.training.run import CHECKPOINTS, Trained, train


def judge(
    *,
    recipe_file: Path,
    out: Path,
    check: Path | None,
    work: Path,
    resume: bool,
    foreign: Path | None,
    console: Console,
) -> ExitCode:
    """Train, publish into `out`, measure through the engine; compare with the card in `check`.

    `work` holds training checkpoints and metrics: after SIGTERM training can be resumed from there. NO when
    the new card disagrees with the one in `check`.
    """
    recipe = load_recipe(recipe_file)
    # read before anything is written: `check` and `out` may be the same folder
    earlier = json.loads((check / "evaluation.json").read_text("utf-8")) if check else None
    trained = _train(recipe, work, resume, console)
    if not trained.finished:
        console.print(f"stopped; resume with --work {work} --resume")
        return ExitCode.OK
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
    shutil.rmtree(work / CHECKPOINTS, ignore_errors=True)
    for setting, figures in card.overall.items():
        console.print(
            f"{setting.replace('_', ' ')}: accuracy {figures.accuracy.share:.3f},"
            f" consistency {figures.consistency.share:.3f} on {figures.n} held-out items"
        )
    console.print(
        f"{recipe.name}-{manifest.short} is in {out}; its card is {out / 'EVALUATION.md'}"
    )
    if earlier is None:
        return ExitCode.OK
    departures = differences(card, earlier, recipe.evaluation.tolerance)
    for line in departures:
        console.print(f"disagrees with {check}: {line}", style="red", markup=False)
    if not departures:
        console.print(f"agrees with the card in {check} within {recipe.evaluation.tolerance:.2f}")
    return ExitCode.NO if departures else ExitCode.OK


def appraise(folder: Path, recipe: Recipe, training: TrainingRecord, foreign: Path | None) -> Card:
    """Fit the temperature of the model in `folder`, write it there, and measure the judge that results."""
    fitted = fit(Judge(load(folder, device="cpu"), temperature=1.0), recipe)
    write_calibration(folder, fitted)
    judge = Judge(load(folder, device="cpu"))
    card = measure(judge, recipe, training, fitted)
    return card if foreign is None else with_out_of_domain(card, judge, foreign)


def _train(recipe: Recipe, work: Path, resume: bool, console: Console) -> Trained:
    with recorded(recipe, work, console) as on_step:
        trained = train(recipe, on_step, work=work, resume=resume)
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
