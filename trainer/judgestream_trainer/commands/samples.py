"""`judgestream samples`: options."""

from pathlib import Path
from typing import Annotated

import typer

from judgestream_trainer.commands.libraries import trainer_libraries
from judgestream_trainer.commands.options import console


def samples(
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="the folder to write into")],
    seed: int = 11,
) -> None:
    """Write the sample requests, labels and invalid records that judgestream ships."""
    with trainer_libraries():
        from judgestream_trainer.jobs.samples import samples as job
    raise typer.Exit(job(out, seed=seed, console=console()))
