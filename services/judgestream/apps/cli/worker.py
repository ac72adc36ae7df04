"""`judgestream worker judging|shadow|bias`: one worker, in the foreground, until SIGTERM."""

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from judgestream.settings import load
from judgestream.terminal import options

SHADOW_NICE = 5
"""A shadow worker yields to the workers that answer requests."""


class Kind(StrEnum):
    JUDGING = "judging"
    SHADOW = "shadow"
    BIAS = "bias"


def worker(
    kind: Annotated[Kind, typer.Argument(help="kind of worker")],
    slot: Annotated[
        int,
        typer.Option(min=0, help="number of this worker in its group: 0, 1, ...; each only once"),
    ] = 0,
    ready_file: Annotated[
        Path | None,
        typer.Option(help="file to write the worker's pid to once it has its partitions"),
    ] = None,
    metrics_port: options.MetricsPort = None,
) -> None:
    """Run one worker. A supervisor should restart it when it exits with a code other than 0."""
    settings = load()
    from judgestream.apps.worker.metrics_ports import with_metrics_port
    from judgestream.apps.worker.readiness import ready_file as announcing
    from judgestream.process_tracing import tracing
    from judgestream.telemetry import logs

    settings = with_metrics_port(settings, kind.value, slot, exact=metrics_port)
    logs.configure(settings.worker, kind=kind.value, slot=slot)
    ready = announcing(ready_file)
    if kind is Kind.JUDGING:
        from judgestream.apps.judging.worker import main
    elif kind is Kind.SHADOW:
        os.nice(SHADOW_NICE)
        from judgestream.apps.judging.shadow_worker import main
    else:
        from judgestream.apps.bias.worker import main
    with tracing(settings.telemetry, kind=kind.value, slot=slot):
        code = main(settings, slot, ready)
    raise typer.Exit(code)
