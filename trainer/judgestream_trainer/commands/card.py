"""`judgestream card`: options."""

from pathlib import Path
from typing import Annotated

import typer

from judgestream_trainer.commands.libraries import trainer_libraries
from judgestream_trainer.commands.options import AblationFile, PandaLM, console


def card(
    checkpoint: Annotated[Path, typer.Option(metavar="FOLDER", help="a folder that judge wrote")],
    recipe: Annotated[Path, typer.Option(metavar="FILE", help="the recipe it was trained by")],
    foreign: PandaLM = None,
    ablation: AblationFile = None,
) -> None:
    """Measure a bundled judge again without training it. Its weights and its digest do not change."""
    with trainer_libraries():
        from judgestream_trainer.jobs.card import card as job
    code = job(
        checkpoint,
        recipe_file=recipe,
        foreign=foreign,
        ablation_file=ablation,
        console=console(),
    )
    raise typer.Exit(code)
