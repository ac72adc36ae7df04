"""`python -m judgestream_trainer COMMAND`: everything that makes judges."""

import argparse
import sys
from collections.abc import Sequence

from rich.console import Console

from judgestream.core.errors import ConfigurationError
from judgestream.engine.openmp import wait_passively
from judgestream_trainer.commands import COMMANDS, command


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0: done; 1: the answer is no; 2: a setting is wrong."""
    wait_passively()  # before a command imports torch
    given = sys.argv[1:] if argv is None else argv
    parser = argparse.ArgumentParser(prog="python -m judgestream_trainer", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, summary in COMMANDS.items():
        one = commands.add_parser(name, help=summary)
        if name in given[:1]:
            command(name).arguments(one)
    args = parser.parse_args(given)
    console = Console(stderr=True)
    try:
        return command(args.command).run(args, console)
    except ConfigurationError as error:
        console.print(f"error: {error}", style="red", markup=False)
        return 2


if __name__ == "__main__":
    sys.exit(main())
