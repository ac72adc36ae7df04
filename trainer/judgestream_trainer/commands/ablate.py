"""`judgestream ablate`: options."""

from pathlib import Path
from typing import Annotated

import typer

from judgestream_trainer.commands.libraries import trainer_libraries
from judgestream_trainer.commands.options import console

RECIPE = Path(__file__).resolve().parents[1] / "recipes" / "ablation.yaml"


def ablate(
    work: Annotated[Path, typer.Option(metavar="FOLDER", help="the figures of every run")],
    recipe: Annotated[
        Path, typer.Option(metavar="FILE", help="what to vary (YAML)", show_default="ablation.yaml")
    ] = RECIPE,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="the table, as `card --ablation` reads it (JSON)"),
    ] = None,
    seed: Annotated[
        list[int] | None,
        typer.Option(help="may be given repeatedly", show_default="1, 2 and 3"),
    ] = None,
    variant: Annotated[
        list[str] | None,
        typer.Option(help="may be given repeatedly", show_default="all"),
    ] = None,
) -> None:
    """Train a judge with each augmentation changed, over several seeds, and write the table.

    Exits 0 also when SIGTERM stopped a training: the same command continues.
    """
    with trainer_libraries():
        from judgestream_trainer.jobs.ablate import ablate as job
    code = job(
        recipe_file=recipe,
        work=work,
        out=out,
        seeds=seed or [1, 2, 3],
        variants=variant,
        console=console(),
    )
    raise typer.Exit(code)
