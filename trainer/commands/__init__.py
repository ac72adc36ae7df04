"""The table of commands. A new one is a file beside these and a row here."""

from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from rich.console import Console

from trainer.commands import (
    ablate,
    card,
    data,
    dataset,
    evaluate,
    judge,
    publish,
    samples,
    serve,
    train,
)


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
        "card": Command(
            summary="measure a bundled judge anew, without training it",
            arguments=card.arguments,
            run=card.run,
        ),
        "ablate": Command(
            summary="train a judge with each augmentation changed, over several seeds",
            arguments=ablate.arguments,
            run=ablate.run,
        ),
        "evaluate": Command(
            summary="judge labelled examples with a checkpoint and write its card",
            arguments=evaluate.arguments,
            run=evaluate.run,
        ),
        "publish": Command(
            summary="put a checkpoint under a URL and tell judge.checkpoints.v1",
            arguments=publish.arguments,
            run=publish.run,
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
        "serve": Command(
            summary="train, measure and publish whenever enough new examples have come",
            arguments=serve.arguments,
            run=serve.run,
        ),
    }
)
