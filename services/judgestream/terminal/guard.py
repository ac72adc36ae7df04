"""The error handler of every command: one clear message and an exit code per expected failure."""

import io
import logging
import os
import sys
import traceback
from typing import Any

import typer
from typer.core import TyperGroup

from judgestream.core.errors import JudgestreamError
from judgestream.core.masking import masked
from judgestream.terminal.exit_codes import ExitCode, exit_code


class GuardedGroup(TyperGroup):
    """The root command. Handles every judgestream error; `--debug` adds its traceback."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except JudgestreamError as exc:
            if ctx.params.get("debug"):
                traceback.print_exc()
            typer.echo(f"judgestream: {masked(str(exc))}", err=True)
            raise typer.Exit(exit_code(exc)) from exc
        except OSError as exc:
            if isinstance(exc, BrokenPipeError):
                # Otherwise Python reports the closed pipe again when it flushes stdout at exit.
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
                raise typer.Exit(ExitCode.PIPE) from None
            if ctx.params.get("debug"):
                traceback.print_exc()
            typer.echo(f"judgestream: {_words(exc)}", err=True)
            away = isinstance(exc, ConnectionError | TimeoutError)
            raise typer.Exit(ExitCode.SERVER if away else ExitCode.USAGE) from exc
        except (ValueError, RecursionError) as exc:
            # Invalid input without its own check, such as a path with a NUL or text that cannot be encoded.
            if ctx.params.get("debug"):
                traceback.print_exc()
            typer.echo(
                f"judgestream: unexpected {type(exc).__name__}: {exc} (--debug shows where)",
                err=True,
            )
            raise typer.Exit(ExitCode.USAGE) from exc
        except KeyboardInterrupt:
            typer.echo("judgestream: interrupted", err=True)
            raise typer.Exit(ExitCode.INTERRUPTED) from None


def _words(error: OSError) -> str:
    """A system error as a sentence that names the file."""
    what = error.strerror or str(error) or type(error).__name__
    return f"{error.filename}: {what}" if error.filename is not None else what


def plain_output() -> None:
    """Escape characters that the terminal or pipe cannot encode, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def quieten(*, debug: bool) -> None:
    """Keep the Kafka client's log lines off the terminal, unless `debug` is set.

    A handler that does nothing is enough, because Python prints only warnings of loggers without a handler.
    A worker's logging, configured later, still receives them.
    """
    if debug:
        logging.basicConfig(
            level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
        )
    else:
        logging.getLogger("kafka").addHandler(logging.NullHandler())
