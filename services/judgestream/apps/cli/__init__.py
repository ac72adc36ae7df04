"""The command line: `judgestream <command>`. One file per command; this file only puts them together.

A command's module imports no more than the base install has. What needs Faust, Triton's client or torch
imports that inside the command. Exit codes: see `exit_codes`.
"""

from typing import Annotated

import typer

from judgestream.apps.cli import (
    agreement,
    ask,
    bias,
    doctor,
    health,
    info,
    leaderboard,
    plan,
    quality,
    recovery,
    redis_users,
    replay,
    rollout,
    savings,
    settings_table,
    template,
    topics,
    worker,
)
from judgestream.apps.cli.dlq import commands as dlq
from judgestream.apps.cli.release import install as release
from judgestream.apps.cli.stack import demo, status, up
from judgestream.apps.cli.submit import command as submit
from judgestream.apps.cli.suite import commands as suite
from judgestream.apps.cli.triton import commands as triton
from judgestream.apps.cli.verdicts import commands as verdicts
from judgestream.terminal.guard import GuardedGroup, plain_output, quieten
from judgestream_trainer.commands import mount

main = typer.Typer(
    cls=GuardedGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        info.version()
        raise typer.Exit


@main.callback()
def root(
    debug: Annotated[
        bool, typer.Option("--debug", help="show tracebacks and the Kafka client's log")
    ] = False,
    version: Annotated[
        bool,
        typer.Option("--version", help="print the version", is_eager=True, callback=_print_version),
    ] = False,
) -> None:
    """A streaming judge: model outputs in over Kafka, settled verdicts and bias metrics out.

    Exit codes: 0 done, 1 the answer is no, 2 wrong usage or settings, 3 a server does not answer,
    4 time ran out, 130 interrupted.
    """
    plain_output()
    quieten(debug=debug)


# For producers and consumers
main.command()(submit.submit)
main.add_typer(verdicts.app, name="verdicts")
main.command()(ask.ask)
main.command()(agreement.agreement)
main.command("quality")(quality.command)
main.command("leaderboard")(leaderboard.command)
main.command("savings")(savings.command)
main.command("health")(health.command)
main.add_typer(suite.app, name="suite")
main.add_typer(bias.app, name="bias")

# For operations
main.add_typer(topics.app, name="topics")
main.add_typer(dlq.app, name="dlq")
redis_users.app.command()(recovery.rebuild)
main.add_typer(redis_users.app, name="redis")
main.command()(replay.replay)
main.command()(recovery.backup)
main.command()(recovery.restore)
main.command()(doctor.doctor)
main.command("plan")(plan.command)
main.command()(settings_table.settings)
main.command()(info.modes)
main.command()(info.version)

# Running it: workers, releases, the local stack
main.command()(worker.worker)
main.add_typer(rollout.app, name="rollout")
main.add_typer(release.app, name="release")
main.add_typer(template.app, name="template")
main.add_typer(triton.app, name="triton")
main.command()(up.up)
main.command()(up.down)
main.command()(status.status)
main.command()(demo.demo)

# Making judges: options and help texts need no torch
mount(main)
