"""The table of commands. A new one is a file beside these and a row here.

A command's file is imported when it is called: most need torch, which takes seconds to load.
"""

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Protocol, cast

from rich.console import Console


class Command(Protocol):
    """`run` returns the exit code: 0 done; 1 the answer is no; a wrong setting raises ConfigurationError,
    which ends with 2."""

    def arguments(self, parser: ArgumentParser) -> None: ...

    def run(self, args: Namespace, console: Console) -> int: ...


COMMANDS: Mapping[str, str] = MappingProxyType(
    {
        "data": "check, convert or publish training data",
        "dataset": "judge pairs of several models' answers by a teacher, and split them for training",
        "judge": "train a bundled judge and publish it as a checkpoint folder",
        "card": "measure a bundled judge anew, without training it",
        "ablate": "train a judge with each augmentation changed, over several seeds",
        "evaluate": "judge labelled examples with a checkpoint and write its card",
        "publish": "put a checkpoint under a URL and tell judge.checkpoints.v1",
        "train": "train a judge, from nothing or from a base",
        "samples": "write the sample requests, labels and bad records",
        "serve": "train, measure and publish whenever enough new examples have come",
    }
)
"""Name, which is the file's, and summary."""


def command(name: str) -> Command:
    """A command of the table, imported."""
    return cast(Command, import_module(f"judgestream_trainer.commands.{name}"))
