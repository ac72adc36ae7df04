"""The table of commands. A new one is a file beside these and a row here."""

from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from rich.console import Console

from trainer.commands import data, dataset, judge, samples, train


@dataclass(frozen=True, kw_only=True, slots=True)
class Command:
    """`run` returns the exit code: 0 done; 1 the answer is no; a wrong setting raises ConfigurationError,
    which ends with 2."""

    summary: str
    arguments: Callable[[ArgumentParser], None]
    run: Callable[[Namespace, Console], int]


COMMANDS: Mapping[str, Command] = MappingProxyType(
    {
        "data": Command(
            summary="check, convert or publish training data",
            arguments=data.arguments,
            run=data.run,
        ),
        "dataset": Command(
            summary="judge pairs of several models' answers by a teacher, and split them for training",
            arguments=dataset.arguments,
            run=dataset.run,
        ),
        "judge": Command(
            summary="train a bundled judge and publish it as a checkpoint folder",
            arguments=judge.arguments,
            run=judge.run,
        ),
        "train": Command(
            summary="train a judge, from nothing or from a base",
            arguments=train.arguments,
            run=train.run,
        ),
        "samples": Command(
            summary="write the sample requests, labels and bad records",
            arguments=samples.arguments,
            run=samples.run,
        ),
    }
)
