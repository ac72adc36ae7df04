"""`judgestream topics apply|check`: create the topics, and compare the broker's with the specification."""

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

app = typer.Typer(no_args_is_help=True, help="Create and check the topics.")


@app.command("apply")
def apply_command(form: options.Format = OutputFormat.TEXT) -> None:
    """Create the missing topics. Never deletes or alters a topic.

    Exits 1 when an existing topic differs from the specification: change it with Kafka's own tools.
    """
    settings = load().kafka
    with closing(admin(settings)) as client:
        created, differences = apply_topics(client, settings)
    for name in created:
        if form is OutputFormat.JSON:
            json_line({"topic": name, "created": True})
        else:
            line(f"{name}: created")
    _print(differences, form)


@app.command("check")
def check_command(form: options.Format = OutputFormat.TEXT) -> None:
    """Report how the broker's topics differ from the specification. Exits 1 when they do."""
    with closing(admin(load().kafka)) as client:
        differences = check_topics(client)
    _print(differences, form)


def _print(differences: Sequence[Difference], form: OutputFormat) -> None:
    for difference in differences:
        if form is OutputFormat.JSON:
            json_line(
                {
                    "topic": difference.topic,
                    "what": difference.what,
                    "wanted": difference.wanted,
                    "found": difference.found,
                }
            )
        else:
            line(str(difference))
    if differences:
        raise typer.Exit(ExitCode.NO)
    if form is OutputFormat.TEXT:
        line(f"all {len(TOPICS)} topics are as specified")
