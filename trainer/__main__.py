"""`python -m trainer COMMAND`: everything that makes judges."""

import argparse
import sys
from collections.abc import Sequence

from rich.console import Console

from judgestream.core.errors import ConfigurationError
from trainer.commands import COMMANDS


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0: done; 1: the answer is no; 2: a setting is wrong."""
    parser = argparse.ArgumentParser(prog="python -m trainer", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, command in COMMANDS.items():
        command.arguments(commands.add_parser(name, help=command.summary))
    args = parser.parse_args(argv)
    console = Console(stderr=True)
    try:
        return COMMANDS[args.command].run(args, console)
    except ConfigurationError as error:
        console.print(f"error: {error}", style="red", markup=False)
        return 2


if __name__ == "__main__":
    sys.exit(main())
