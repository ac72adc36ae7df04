"""`judgestream rollout serve`: the rollout service, in the foreground, until SIGTERM."""

from pathlib import Path
from typing import Annotated

import typer
import yaml

from judgestream.settings import load
from judgestream.terminal import options
from judgestream.terminal.output import OutputFormat, json_line, line

app = typer.Typer(no_args_is_help=True, help="The service that rolls out judges.")


@app.callback()
def group() -> None:
    """The service that rolls out judges."""


@app.command()
def serve(
    slot: Annotated[
        int, typer.Option(min=0, help="number of this instance: 0, 1, ...; each only once")
    ] = 0,
    ready_file: Annotated[
        Path | None,
        typer.Option(
            help="file to write the service's pid to once it serves, and an instance leads"
        ),
    ] = None,
    metrics_port: options.MetricsPort = None,
) -> None:
    """Run one instance of the rollout service. It listens on `rollout.grpc`.

    One instance leads, and others take over when it ends. A supervisor should restart it when it exits with a
    code other than 0.
    """
    settings = load()
    from judgestream.apps.rollout.service import main
    from judgestream.apps.worker.metrics_ports import with_metrics_port
    from judgestream.apps.worker.readiness import ready_file as announcing
    from judgestream.local.folder import data_folder
    from judgestream.process_tracing import tracing
    from judgestream.telemetry import logs

    settings = with_metrics_port(settings, "rollout", slot, exact=metrics_port)
    logs.configure(settings.worker, kind="rollout", slot=slot)
    repository = settings.rollout.repository or data_folder(settings.local.data) / "models"
    with tracing(settings.telemetry, kind="rollout", slot=slot):
        code = main(settings, repository.expanduser(), slot, announcing(ready_file))
    raise typer.Exit(code)


@app.command()
def policy(form: options.Format = OutputFormat.TEXT) -> None:
    """Print the policy that is in effect: that of the file `rollout.policy`, or the shipped one, as YAML."""
    from judgestream.apps.rollout.policies import as_mapping, read_policy

    mapping = as_mapping(read_policy(load().rollout.policy))
    if form is OutputFormat.JSON:
        json_line(mapping)
    else:
        line(yaml.safe_dump(mapping, sort_keys=False, default_flow_style=None, width=110).rstrip())
