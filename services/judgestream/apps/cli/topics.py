"""`judgestream topics`: create, change and check the topics, and say who may use them."""

from collections.abc import Sequence
from contextlib import closing
from typing import Annotated

import typer

from judgestream.adapters.kafka.access_rules import add, rules
from judgestream.adapters.kafka.group_offsets import copy_group
from judgestream.adapters.kafka.topic_changes import Wanted, make
from judgestream.adapters.kafka.topic_changes import plan as plan_changes
from judgestream.adapters.kafka.topic_plan import Change
from judgestream.adapters.kafka.topics import Difference, admin
from judgestream.adapters.kafka.topics import apply as apply_topics
from judgestream.adapters.kafka.topics import check as check_topics
from judgestream.contracts.access import USERS
from judgestream.contracts.topics import TOPICS
from judgestream.core.errors import ConfigurationError
from judgestream.settings import Kafka, load
from judgestream.terminal import options
from judgestream.terminal.exit_codes import ExitCode
from judgestream.terminal.output import OutputFormat, json_line, line, note

app = typer.Typer(
    no_args_is_help=True, help="Create, change and check the topics, and who may use them."
)

MOST_PARTITIONS = 10_000

Partitions = Annotated[
    list[str] | None,
    typer.Option(
        "--partitions", metavar="TOPIC=N", help="another number of partitions than specified"
    ),
]


@app.command("apply")
def apply_command(
    alter: Annotated[
        bool, typer.Option("--alter", help="also change existing topics, as `topics plan` shows")
    ] = False,
    partitions: Partitions = None,
    yes: Annotated[bool, typer.Option("--yes", help="change without asking")] = False,
    timeout: Annotated[
        float, typer.Option(min=1, help="seconds that copying to more brokers may take")
    ] = 3600.0,
    form: options.Format = OutputFormat.TEXT,
) -> None:
    """Create the missing topics. With --alter also change existing ones: settings, more partitions, more
    replicas (setting kafka.replication_factor). Never deletes a topic.

    Exits 1 when a topic still differs from the specification.
    """
    settings = load().kafka
    wanted = _wanted(settings, partitions)
    if wanted.partitions and not alter:
        raise typer.BadParameter("--partitions changes existing topics: add --alter")
    with closing(admin(settings)) as client:
        created, differences = apply_topics(client, settings)
        for name in created:
            if form is OutputFormat.JSON:
                json_line({"topic": name, "created": True})
            else:
                line(f"{name}: created")
        if alter:
            changes = plan_changes(client, wanted)
            if possible := [change for change in changes if not change.refused]:
                _confirm(possible, yes=yes)
                make(client, possible, timeout_s=timeout, on_progress=note)
            if form is OutputFormat.JSON:
                for change in possible:
                    json_line(_as_json(change) | {"done": True})
            if left := plan_changes(client, wanted):
                _print_changes(left, form)
            differences = check_topics(client)
    _print(differences, form)


@app.command("plan")
def plan_command(partitions: Partitions = None, form: options.Format = OutputFormat.TEXT) -> None:
    """Print what `topics apply --alter` would change, and change nothing. Exits 1 when there is anything."""
    settings = load().kafka
    with closing(admin(settings)) as client:
        missing = [one for one in check_topics(client) if one.absent]
        changes = plan_changes(client, _wanted(settings, partitions))
    _print_changes(changes, form)
    if changes and not missing:
        raise typer.Exit(ExitCode.NO)
    _print(missing, form)


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


@app.command("copy-group")
def copy_group_command(
    source: Annotated[str, typer.Argument(help="group whose offsets are copied")],
    target: Annotated[str, typer.Argument(help="new group, which has none")],
) -> None:
    """Let a new consumer group start where another one stopped, to rename a group. Stop the members first."""
    with closing(admin(load().kafka)) as client:
        copied = copy_group(client, source, target)
    line(
        f"{target}: starts where {source} stopped, on {copied} partition{'' if copied == 1 else 's'}"
    )


def _wanted(settings: Kafka, partitions: Sequence[str] | None) -> Wanted:
    numbers = {}
    for entry in partitions or ():
        name, _, number = entry.partition("=")
        if name not in TOPICS:
            raise typer.BadParameter(f"no topic {name!r}: one of {', '.join(TOPICS)}")
        if not number.isdecimal() or not 1 <= int(number) <= MOST_PARTITIONS:
            raise typer.BadParameter(f"{entry!r}: use TOPIC=N, N from 1 to {MOST_PARTITIONS}")
        numbers[name] = int(number)
    return Wanted(replication=settings.replication_factor, partitions=numbers)


def _confirm(changes: Sequence[Change], *, yes: bool) -> None:
    if yes:
        return
    for change in changes:
        note(str(change))
    try:
        typer.confirm("Make these changes?", abort=True, err=True)
    except typer.Abort:
        note("nothing was changed; where nobody can answer, add --yes")
        raise


def _print_changes(changes: Sequence[Change], form: OutputFormat) -> None:
    for change in changes:
        if form is OutputFormat.JSON:
            json_line(_as_json(change))
        else:
            line(str(change))


def _as_json(change: Change) -> dict[str, object]:
    return {
        "topic": change.topic,
        "what": change.what,
        "before": change.before,
        "after": change.after,
        "consequence": change.consequence,
        "refused": change.refused,
    }


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
