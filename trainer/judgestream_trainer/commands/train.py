"""`judgestream train`: options."""

from pathlib import Path
from typing import Annotated

import typer

from judgestream_trainer.commands.libraries import trainer_libraries
from judgestream_trainer.commands.options import Resume, Work, console, work_folder


def train(
    recipe: Annotated[Path, typer.Option(metavar="FILE", help="how to train (YAML)")],
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="the folder to write the judge into")],
    base: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="the Hugging Face folder to fine-tune")
    ] = None,
    data: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE", help="labelled examples (JSON lines); may be given repeatedly"
        ),
    ] = None,
    work: Work = None,
    resume: Resume = False,
    peak_tflops: Annotated[
        float | None,
        typer.Option(help="the device's peak for MFU, in TFLOP/s (default: by the GPU's name)"),
    ] = None,
) -> None:
    """Train a judge, from nothing or from a base, and write it as a Hugging Face folder.

    `evaluate` and `publish` make a release of it. Exits 0 also when SIGTERM stopped training: `--resume`
    continues it.
    """
    with trainer_libraries():
        from judgestream_trainer.jobs.train import train as job
    code = job(
        recipe_file=recipe,
        out=out,
        base=base,
        data=data or [],
        work=work or work_folder(out),
        resume=resume,
        peak_tflops=peak_tflops,
        console=console(),
    )
    raise typer.Exit(code)
