"""`judgestream judge`: options."""

from pathlib import Path
from typing import Annotated

import typer

from judgestream.core.errors import ConfigurationError
from judgestream_trainer.commands.libraries import trainer_libraries
from judgestream_trainer.commands.options import PandaLM, Resume, Work, console, work_folder

RECIPE = Path(__file__).resolve().parents[1] / "recipes" / "tiny.yaml"


def judge(
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="the checkpoint folder to write")],
    recipe: Annotated[
        Path, typer.Option(metavar="FILE", help="what to train (YAML)", show_default="tiny.yaml")
    ] = RECIPE,
    check: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="a checkpoint whose card the new one must agree with"),
    ] = None,
    work: Work = None,
    resume: Resume = False,
    foreign: PandaLM = None,
    sets: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="the published sets, for a reward model's recipe (docs: train)"
        ),
    ] = None,
) -> None:
    """Train a bundled judge, measure it, and write it as a checkpoint folder.

    Exits 1 when the new card disagrees with the one in `--check`; 0 also when SIGTERM stopped training:
    `--resume` continues it.
    """
    if sets is not None:
        if check is None:
            raise ConfigurationError("--sets needs --check: the bundle that names the base")
        with trainer_libraries():
            from judgestream_trainer.jobs.reward_judge import reward_judge
        code = reward_judge(
            recipe_file=recipe,
            bundle=check,
            sets=sets,
            out=out,
            work=work or work_folder(out),
            resume=resume,
            console=console(),
        )
        raise typer.Exit(code)
    with trainer_libraries():
        from judgestream_trainer.jobs.judge import judge as job
    code = job(
        recipe_file=recipe,
        out=out,
        check=check,
        work=work or work_folder(out),
        resume=resume,
        foreign=foreign,
        console=console(),
    )
    raise typer.Exit(code)
