"""`judgestream topics apply|check`: the topics on the broker against the table."""

from collections.abc import Sequence
from contextlib import closing

import typer

from judgestream.adapters.kafka.topics import Difference, admin
from judgestream.adapters.kafka.topics import apply as apply_topics
from judgestream.adapters.kafka.topics import check as check_topics
from judgestream.contracts.topics import TOPICS
from judgestream.settings import load
from judgestream.terminal import options
from judgestream.terminal.exit_codes import ExitCode
from judgestream.terminal.output import OutputFormat, json_line, line

app = typer.Typer(no_args_is_help=True, help="The topics on the broker against the table.")


@app.command("apply")
def apply_command(form: options.Format = OutputFormat.TEXT) -> None:
    """Create the topics that are missing. Never deletes, never alters.

    Exits 1 when a topic that exists differs from the table: change it with Kafka's own tools.
    """
    settings = load().kafka
    with closing(admin(settings)) as client:
        created, differences = apply_topics(client, settings)
    for name in created:
        if form is OutputFormat.JSON:
            json_line({"topic": name, "created": True})
        else:
            line(f"{name}: created")
    _tell(differences, form)


@app.command("check")
def check_command(form: options.Format = OutputFormat.TEXT) -> None:
    """Report how the broker differs from the table. Exits 1 when it does."""
    with closing(admin(load().kafka)) as client:
        differences = check_topics(client)
    _tell(differences, form)


def _tell(differences: Sequence[Difference], form: OutputFormat) -> None:
    for one in differences:
        if form is OutputFormat.JSON:
            json_line(
                {"topic": one.topic, "what": one.what, "wanted": one.wanted, "found": one.found}
            )
        else:
            line(str(one))
    if differences:
        raise typer.Exit(ExitCode.NO)
    if form is OutputFormat.TEXT:
        line(f"all {len(TOPICS)} topics are as the table says")
