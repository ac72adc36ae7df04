"""One clear message for every expected failure, and the exit code that goes with it."""

import logging
import os
import sys
import traceback
from typing import Any

import typer
from typer.core import TyperGroup

from judgestream.apps.cli.exit_codes import ExitCode, exit_code
from judgestream.core.errors import JudgestreamError
from judgestream.core.masking import masked


class GuardedGroup(TyperGroup):
    """The root command. Errors of our tree end here; with `--debug` their traceback is shown too."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except JudgestreamError as exc:
            if ctx.params.get("debug"):
                traceback.print_exc()
            typer.echo(f"judgestream: {masked(str(exc))}", err=True)
            raise typer.Exit(exit_code(exc)) from exc
        except KeyboardInterrupt:
            typer.echo("judgestream: interrupted", err=True)
            raise typer.Exit(ExitCode.INTERRUPTED) from None
        except BrokenPipeError:
            # Python would complain again when it flushes stdout at exit
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(ExitCode.PIPE) from None


def quieten(*, debug: bool) -> None:
    """Keep the Kafka client's own log lines off the terminal, unless they are asked for.

    A handler that does nothing is enough: Python prints warnings of loggers that have none. A worker's
    own logging, set up later, still sees them.
    """
    if debug:
        logging.basicConfig(
            level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
        )
    else:
        logging.getLogger("kafka").addHandler(logging.NullHandler())
