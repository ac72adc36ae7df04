"""`judgestream suite list|run|compare|ensemble|published|recording`."""

from dataclasses import asdict

import typer

from judgestream.apps.cli.suite.compare import compare_command
from judgestream.apps.cli.suite.published import (
    ensemble_command,
    published_command,
    recording_command,
)
from judgestream.apps.cli.suite.run import run_command
from judgestream.suites.table import SUITES
from judgestream.terminal import options
from judgestream.terminal.output import OutputFormat, json_line, table

app = typer.Typer(
    no_args_is_help=True, help="Run published benchmarks, and compare two judges on them."
)


@app.command("list")
def list_command(form: options.Format = OutputFormat.TEXT) -> None:
    """List the suites, and the files that each wants."""
    for suite in SUITES.values():
        if form is OutputFormat.JSON:
            json_line(
                {
                    "name": suite.name,
                    "title": suite.title,
                    "paper": suite.paper,
                    "rule": suite.rule.value if suite.orders else None,
                    "unreadable": suite.unreadable.value,
                    "files": [asdict(one) for one in suite.files],
                    "recordings": list(suite.recordings),
                }
            )
    if form is OutputFormat.TEXT:
        table(
            ("suite", "what it is", "files it wants"),
            [
                (
                    suite.name,
                    f"{suite.title} ({suite.paper})",
                    ", ".join(one.pattern for one in suite.files if one.required),
                )
                for suite in SUITES.values()
            ],
        )


app.command("run")(run_command)
app.command("compare")(compare_command)
app.command("ensemble")(ensemble_command)
app.command("published")(published_command)
app.command("recording")(recording_command)
