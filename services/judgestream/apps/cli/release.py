"""`judgestream release install`: a checkpoint into a Triton model repository."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from judgestream.apps.cli import options
from judgestream.apps.cli.output import OutputFormat, json_line, line
from judgestream.core.errors import ConfigurationError

app = typer.Typer(no_args_is_help=True, help="Judges as Triton models.")


class Device(StrEnum):
    CPU = "cpu"
    GPU = "gpu"


@app.command("install")
def install_command(
    checkpoint: Annotated[Path, typer.Argument(help="checkpoint folder, ours or JudgeLM's")],
    repository: Annotated[Path, typer.Option(help="Triton's model repository")],
    device: Annotated[Device, typer.Option(help="where the judge runs")] = Device.CPU,
    instances: Annotated[
        int, typer.Option(min=1, help="processes, each with its own weights; on GPUs: per GPU")
    ] = 1,
    link: Annotated[bool, typer.Option(help="hard links instead of copies, to save disk")] = False,
    form: options.Format = OutputFormat.TEXT,
) -> None:
    """Put a checkpoint into a model repository as `<family>-<digest8>`.

    The model appears whole or not at all; nothing that is there is changed. Load it with Triton's own
    `load_model`, or have Triton poll the repository.
    """
    from judgestream.adapters.model_repository import install

    if not checkpoint.is_dir():
        raise ConfigurationError(f"{checkpoint} is no checkpoint folder")
    release = install(checkpoint, repository, instances=instances, device=device.value, link=link)
    if form is OutputFormat.JSON:
        json_line(
            {
                "release": release.name,
                "checkpoint_digest": release.checkpoint_digest,
                "template_id": release.template_id,
                "max_input_tokens": release.max_input_tokens,
            }
        )
    else:
        line(f"{release.name} is in {repository}")
