"""`judgestream topics apply|check|acls`: create the topics, compare them, and say who may use them."""

from collections.abc import Sequence
from contextlib import closing
from typing import Annotated

import typer

from judgestream.adapters.kafka.access_rules import add, rules
from judgestream.adapters.kafka.topics import Difference, admin
from judgestream.adapters.kafka.topics import apply as apply_topics
from judgestream.adapters.kafka.topics import check as check_topics
from judgestream.contracts.access import USERS
from judgestream.contracts.topics import TOPICS
from judgestream.core.errors import ConfigurationError
from judgestream.settings import load
from judgestream.terminal import options
from judgestream.terminal.exit_codes import ExitCode
from judgestream.terminal.output import OutputFormat, json_line, line

app = typer.Typer(no_args_is_help=True, help="Create and check the topics, and who may use them.")


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


@app.command("acls")
def acls_command(
    users: Annotated[
        list[str] | None,
        typer.Option("--user", help=f"only this user: {', '.join(USERS)}; may be repeated"),
    ] = None,
    principal: Annotated[
        str,
        typer.Option(help="of the one --user, if it is not User:judgestream-NAME"),
    ] = "",
    apply: Annotated[bool, typer.Option("--apply", help="add the rules to the broker")] = False,
) -> None:
    """Print the access rules of every user, as calls of Kafka's kafka-acls.sh.

    With --apply, add the missing ones to the broker instead; the command must run as a super user. No rule is
    changed or deleted.
    """
    names = users or list(USERS)
    for name in names:
        if name not in USERS:
            raise ConfigurationError(f"unknown user {name}: use one of {', '.join(USERS)}")
    if principal and (len(names) != 1 or not principal.startswith("User:") or "'" in principal):
        raise ConfigurationError(
            f"--principal {principal} needs exactly one --user, and starts with User:, as in User:CN=judging"
        )
    settings = load().kafka
    wanted = rules((USERS[name] for name in names), principal=principal)
    if not apply:
        for rule in wanted:
            line(rule.command(settings.bootstrap))
        return
    with closing(admin(settings)) as client:
        added = add(client, wanted)
    line(f"{added} rules added, the others were there" if added else "all rules are there")


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
