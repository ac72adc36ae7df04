"""`judgestream up`, `down`, `status`: the local stack, kept running with its data in one folder."""

import logging
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from judgestream.apps.cli import options
from judgestream.apps.cli.exit_codes import ExitCode
from judgestream.apps.cli.output import OutputFormat, json_line, line, note, table
from judgestream.core.errors import ConfigurationError, JudgestreamError
from judgestream.core.masking import masked
from judgestream.settings import Settings, load

LOOK_S = 1.0
UP_S = 300.0
READY = "ready"

Data = Annotated[
    Path | None, typer.Option(help="data folder, kept over restarts; default: setting local.data")
]


def up(
    data: Data = None,
    foreground: Annotated[
        bool, typer.Option("--foreground", help="stay here and log, until Ctrl-C or SIGTERM")
    ] = False,
) -> None:
    """Start Kafka, Valkey, Triton with the bundled judge, and the workers, and keep them running.

    A server that a setting names (JUDGESTREAM_KAFKA__BOOTSTRAP, ..._REDIS__URL, ..._TRITON__GRPC) is used
    as it is. What ends is started again.
    """
    settings = load()
    folder = _folder(settings, data)
    if foreground:
        raise typer.Exit(_stay(settings, folder))
    from judgestream.local.state import read_state

    state = read_state(folder)
    if state is not None and state.owner_alive():
        note(f"already running (process {state.owner.pid}); `judgestream status` shows it")
        return
    _detach(folder)
    status(data=data, form=OutputFormat.TEXT)


def down(data: Data = None) -> None:
    """Stop the local stack. Its data stays."""
    from judgestream.local.state import stop_from_state

    folder = _folder(load(), data)
    stopped = stop_from_state(folder, seconds=90.0)
    note(f"stopped; data is in {folder}" if stopped else f"nothing runs for {folder}")


def status(data: Data = None, form: options.Format = OutputFormat.TEXT) -> None:
    """What of the local stack runs, and where. Exits 1 when something of it does not."""
    from judgestream.local.state import read_state

    folder = _folder(load(), data)
    state = read_state(folder)
    if state is None:
        note(f"nothing runs for {folder}; `judgestream up` starts it")
        raise typer.Exit(ExitCode.NO)
    running = state.running()
    rows = [
        (
            server.name,
            "external" if server.external else "running" if server.name in running else "DEAD",
            masked(server.address),
            server.log_path or "",
        )
        for server in state.servers
    ]
    alive = state.owner_alive()
    rows.append(("supervisor", "running" if alive else "DEAD", str(state.owner.pid), _log(folder)))
    if form is OutputFormat.JSON:
        for name, what, address, log in rows:
            json_line({"name": name, "state": what, "address": address, "log": log})
    else:
        table(("name", "state", "address", "log"), rows)
        settings = folder / "environment"
        if settings.exists():
            line(f"in a shell: set -a; . {shlex.quote(str(settings))}; set +a")
    if any(what == "DEAD" for _, what, _, _ in rows):
        raise typer.Exit(ExitCode.NO)


def _folder(settings: Settings, data: Path | None) -> Path:
    return (data or settings.local.data).expanduser().resolve()


def _log(folder: Path) -> str:
    return str(folder / "stack.log")


def _detach(folder: Path) -> None:
    """Start ourselves in the background and wait until all is ready, or tell why it is not."""
    from judgestream.local.private import private_folder

    private_folder(folder)
    log = Path(_log(folder))
    marker = folder / READY
    marker.unlink(missing_ok=True)
    with log.open("wb") as out:
        process = subprocess.Popen(
            [
                sys.executable,
                *("-m", "judgestream.apps.cli", "up", "--foreground", "--data", str(folder)),
            ],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    deadline = time.monotonic() + UP_S
    told = 0
    while not marker.exists():
        lines = [one for one in log.read_text().splitlines() if one.startswith("* ")]
        for one in lines[told:]:
            note(one.removeprefix("* "))
        told = len(lines)
        code = process.poll()
        if code is not None:
            said = [one for one in log.read_text().splitlines() if not one.startswith("* ")]
            text = "\n".join(said[-30:]).removeprefix("judgestream: ")
            typer.echo(f"judgestream: {text}", err=True)
            raise typer.Exit(code or ExitCode.SERVER)
        if time.monotonic() > deadline:
            process.send_signal(signal.SIGTERM)
            raise ConfigurationError(f"not ready within {UP_S:.0f} s; see {log}")
        time.sleep(0.2)


def _stay(settings: Settings, folder: Path) -> int:
    """Run the stack in this process until told to stop."""
    from judgestream.apps import logs
    from judgestream.apps.one_machine import OneMachine
    from judgestream.local.errors import ServerDied
    from judgestream.local.private import shell_variables, write_private

    logs.configure(settings.worker.log_level)
    signal.signal(signal.SIGTERM, _interrupt)
    marker = folder / READY
    machine = OneMachine(settings, data=folder)
    try:
        machine.start(lambda text: note(f"* {text}"))
        write_private(folder / "environment", shell_variables(machine.environment))
        marker.write_text(f"{os.getpid()}\n")
        note("* ready")
        while True:
            time.sleep(LOOK_S)
            try:
                machine.tend()
            except ServerDied as exc:
                logging.getLogger(__name__).error("%s", exc)
                _revive(machine)
    except KeyboardInterrupt:
        note("* stopping")
        return ExitCode.OK
    finally:
        marker.unlink(missing_ok=True)
        machine.stop()


def _revive(machine: "OneMachine") -> None:  # type: ignore[name-defined]  # noqa: F821 - imported late
    try:
        machine.revive()
    except JudgestreamError as exc:
        logging.getLogger(__name__).error("could not be started again yet: %s", exc)


def _interrupt(_: int, __: FrameType | None) -> None:
    raise KeyboardInterrupt
