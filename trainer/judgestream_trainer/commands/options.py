"""Options that several of the trainer's commands share."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

AblationFile = Annotated[
    Path | None,
    typer.Option(
        "--ablation",
        metavar="FILE",
        help='add this ablation to the card: {"note": ..., "rows": {variant: {figure: [mean, sd]}}}',
    ),
]
PandaLM = Annotated[
    Path | None,
    typer.Option(
        "--foreign", metavar="FILE", help="also measure on PandaLM's testset-v1.json, out of domain"
    ),
]
Resume = Annotated[
    bool, typer.Option("--resume", help="continue from the last complete training checkpoint")
]
Work = Annotated[
    Path | None,
    typer.Option(
        "--work",
        metavar="FOLDER",
        help="metrics and training checkpoints (default: OUT.training)",
    ),
]
Validation = Annotated[
    float, typer.Option("--validation", help="share of the questions for validation, 0 to 1")
]
Test = Annotated[float, typer.Option("--test", help="share of the questions for testing, 0 to 1")]


def console() -> Console:
    """For notes and progress: standard error. Results go to standard output."""
    return Console(stderr=True)


def work_folder(out: Path) -> Path:
    """The default of `--work`."""
    return out.with_name(f"{out.name}.training")
