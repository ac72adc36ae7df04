"""`judgestream publish`: options."""

from pathlib import Path
from typing import Annotated

import typer

from judgestream_trainer.commands.libraries import trainer_libraries
from judgestream_trainer.commands.options import console


def publish(
    checkpoint: Annotated[Path, typer.Argument(help="a folder with manifest and evaluation card")],
    url: Annotated[
        str,
        typer.Argument(
            help="a folder, s3://bucket/path (credentials and endpoint: AWS_ACCESS_KEY_ID,"
            " AWS_SECRET_ACCESS_KEY, AWS_ENDPOINT_URL), or any fsspec URL"
        ),
    ],
    name: Annotated[
        str, typer.Option(help="name of the release (default: the manifest's name)")
    ] = "",
    event: Annotated[
        bool, typer.Option("--event/--no-event", help="announce it on judge.checkpoints.v1")
    ] = True,
) -> None:
    """Upload a checkpoint to a URL and announce it on judge.checkpoints.v1.

    Exits 3 when the checkpoint is published and no broker took the event; the same command again sends it.
    """
    with trainer_libraries():
        from judgestream_trainer.jobs.publish import publish as job
    raise typer.Exit(job(checkpoint, url, name=name, event=event, console=console()))
