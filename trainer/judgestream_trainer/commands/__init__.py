"""The trainer's commands: their options and help texts, without torch.

A new command is a file beside these and a row in `COMMANDS`. It imports its job when it runs, inside
`trainer_libraries`.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import typer

from judgestream_trainer.commands import data
from judgestream_trainer.commands.ablate import ablate
from judgestream_trainer.commands.calibrate import calibrate
from judgestream_trainer.commands.card import card
from judgestream_trainer.commands.evaluate import evaluate
from judgestream_trainer.commands.judge import judge
from judgestream_trainer.commands.label import label
from judgestream_trainer.commands.publish import publish
from judgestream_trainer.commands.samples import samples
from judgestream_trainer.commands.train import train
from judgestream_trainer.commands.watch import watch

COMMANDS: Mapping[str, Callable[..., None]] = MappingProxyType(
    {
        "label": label,
        "train": train,
        "evaluate": evaluate,
        "calibrate": calibrate,
        "publish": publish,
        "watch": watch,
        "judge": judge,
        "ablate": ablate,
        "card": card,
        "samples": samples,
    }
)


def mount(command_line: typer.Typer) -> None:
    """Add every command of the trainer."""
    command_line.add_typer(data.app, name="data")
    for name, command in COMMANDS.items():
        command_line.command(name)(command)
