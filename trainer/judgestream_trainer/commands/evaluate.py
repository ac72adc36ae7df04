"""`judgestream evaluate`: options."""

from pathlib import Path
from typing import Annotated

import typer

from judgestream.terminal.options import Format
from judgestream.terminal.output import OutputFormat
from judgestream_trainer.commands.libraries import trainer_libraries
from judgestream_trainer.commands.options import AblationFile, console


def evaluate(
    checkpoint: Annotated[Path, typer.Option(metavar="FOLDER", help="the judge's checkpoint")],
    data: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE", help="labelled examples, as train reads them; may be given repeatedly"
        ),
    ] = None,
    tasks: Annotated[
        int, typer.Option(min=0, help="add this many held-out items of every task family")
    ] = 0,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="write the card here (default: into the checkpoint)"),
    ] = None,
    ablation: AblationFile = None,
    seed: Annotated[int, typer.Option(help="seed of --tasks")] = 7,
    device: Annotated[str, typer.Option(help="cpu or cuda")] = "cpu",
    form: Format = OutputFormat.TEXT,
) -> None:
    """Judge labelled examples with a checkpoint and write its card: figures with intervals, plots, JSON.

    Exits 1 when nothing could be measured because no reply of a format is readable.
    """
    with trainer_libraries():
        from judgestream_trainer.jobs.evaluate import evaluate as job
    code = job(
        checkpoint=checkpoint,
        data=data or [],
        tasks=tasks,
        out=out,
        ablation_file=ablation,
        seed=seed,
        device=device,
        form=form,
        console=console(),
    )
    raise typer.Exit(code)
