"""`python -m judgestream_trainer`: the trainer's commands of `judgestream`, and no others."""

from typing import Annotated

import typer

from judgestream.terminal.guard import GuardedGroup, plain_output, quieten
from judgestream_trainer.commands import mount

main = typer.Typer(
    cls=GuardedGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@main.callback()
def root(
    debug: Annotated[
        bool, typer.Option("--debug", help="show tracebacks and the Kafka client's log")
    ] = False,
) -> None:
    """Make judges: label, train, evaluate and publish. Exit codes are those of `judgestream`."""
    plain_output()
    quieten(debug=debug)


mount(main)

if __name__ == "__main__":
    main()
