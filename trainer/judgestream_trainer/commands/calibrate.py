"""`judgestream calibrate`: options."""

from pathlib import Path
from typing import Annotated

import typer

from judgestream.terminal.options import Format
from judgestream.terminal.output import OutputFormat
from judgestream_trainer.commands.libraries import trainer_libraries
from judgestream_trainer.commands.options import console


def calibrate(
    checkpoint: Annotated[Path, typer.Option(metavar="FOLDER", help="a reward model's checkpoint")],
    data: Annotated[
        list[Path],
        typer.Option(
            metavar="FILE", help="labelled examples, as train reads them; may be given repeatedly"
        ),
    ],
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="the new checkpoint")],
    device: Annotated[str, typer.Option(help="cpu or cuda")] = "cpu",
    form: Format = OutputFormat.TEXT,
) -> None:
    """Fit a reward model's scale and tie margin on labelled pairs that it was not trained on.

    Exits 1 when the pairs do not determine them.
    """
    with trainer_libraries():
        from judgestream_trainer.jobs.calibrate import calibrate as job
    code = job(
        checkpoint=checkpoint, data=data, out=out, device=device, form=form, console=console()
    )
    raise typer.Exit(code)
