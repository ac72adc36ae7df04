"""`judgestream up` and `down`: start and stop the local stack of a data folder."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import SecretStr

from judgestream.apps.cli.stack.status import status
from judgestream.core.errors import ConfigurationError
from judgestream.settings import Local, Settings, load
from judgestream.terminal.exit_codes import ExitCode, exit_code
from judgestream.terminal.output import note

if TYPE_CHECKING:
    from judgestream.apps.machine.chosen_judge import JudgeOptions

STOP_S = 90.0
UP_S = 900.0
"""A judge of many gigabytes takes minutes to load from disk."""

PORTS = frozenset(f"local.{name}" for name in Local.model_fields if name.endswith("_port"))
"""Ports of the stack's own servers. Commands find a running stack on any port."""

Data = Annotated[
    Path | None, typer.Option(help="data folder, kept over restarts; default: setting local.data")
]


def up(
    model: Annotated[
        str,
        typer.Argument(help="name of the model at the endpoint, if --judge is an endpoint's URL"),
    ] = "",
    judge: Annotated[
        str,
        typer.Option(
            help="judge to serve: a checkpoint folder, the name of an installed release, the URL of a"
            " published checkpoint, or the URL of an OpenAI-compatible endpoint followed by MODEL"
        ),
    ] = "",
    key_variable: Annotated[
        str, typer.Option(help="environment variable that holds the endpoint's key")
    ] = "",
    template: Annotated[str, typer.Option(help="prompt template for an endpoint")] = "",
    data: Data = None,
    foreground: Annotated[
        bool, typer.Option("--foreground", help="run in the foreground until Ctrl-C or SIGTERM")
    ] = False,
) -> None:
    """Start Kafka, Valkey, Triton with a judge, and the workers, and keep them running.

    A server that a setting names (JUDGESTREAM_KAFKA__BOOTSTRAP, ..._REDIS__URL, ..._TRITON__GRPC) is used
    and not started. Servers and workers that end are restarted. Without --judge, the judge is the one that
    settings name, else the one last used, else the bundled one.
    """
    settings = load(find_stack=False)
    folder = _folder(settings, data)
    from judgestream.apps.machine.chosen_judge import JudgeOptions

    choice = JudgeOptions(judge=judge, model=model, key_variable=key_variable, template=template)
    choice.check()
    if foreground:
        raise typer.Exit(_stay(settings, folder, choice))
    from judgestream.local.state import read_state

    state = read_state(folder)
    if state is not None and state.owner_alive():
        raise typer.Exit(_already_running(settings, folder, choice))
    _detach(folder, choice)
    if choice.judge:
        _use_named(settings, folder)
    note(f"ready; data is in {folder}. See `judgestream status`; stop with `judgestream down`")
    _say_how_to_find(settings, folder)
    status(data=data)


def _use_named(settings: Settings, folder: Path) -> None:
    """Make the judge that the user named the stable release, even if another one was promoted since."""
    from judgestream.apps.cli.release.move import use
    from judgestream.local.running import running_settings

    running = running_settings(folder)
    if name := running.get("triton.release"):
        note(f"putting {name} into service")
        use(_with(settings, running), name, why="judgestream up --judge", timeout_s=UP_S)


def _with(settings: Settings, running: Mapping[str, str]) -> Settings:
    """The settings with the addresses of the running stack."""
    groups = {
        "rollout": {"grpc": running["rollout.grpc"]},
        "redis": {"url": SecretStr(running["redis.url"])},
        "triton": {"control_key": SecretStr(running.get("triton.control_key", ""))},
    }
    return settings.model_copy(
        update={
            group: getattr(settings, group).model_copy(update=values)
            for group, values in groups.items()
        }
    )


def down(data: Data = None) -> None:
    """Stop the local stack, even while it is starting. Its data stays."""
    from judgestream.local.leftovers import stop_all

    folder = _folder(load(find_stack=False), data)
    stopped = stop_all(folder, note, seconds=STOP_S)
    note(f"stopped; data is in {folder}" if stopped else f"nothing is running for {folder}")


def _folder(settings: Settings, data: Path | None) -> Path:
    from judgestream.local.folder import data_folder

    return data_folder(settings.local.data if data is None else data)


def _say_how_to_find(settings: Settings, folder: Path) -> None:
    """Print the variable by which other commands find a folder that is not the setting's."""
    if _folder(settings, None) != folder:
        note(f"for other commands: export JUDGESTREAM_LOCAL__DATA={folder}")


def _already_running(settings: Settings, folder: Path, choice: "JudgeOptions") -> int:
    """Print what is running, and how it differs from the current settings."""
    from judgestream.apps.machine.supervisor import snapshot
    from judgestream.local.supervisor_file import Phase, read_report

    report = read_report(folder)
    if report is None or not report.alive:
        note("already running; see `judgestream status`")
        return ExitCode.OK
    if report.phase is Phase.STARTING:
        note(f"already starting (process {report.process.pid}); see `judgestream status`")
        return ExitCode.OK
    note(f"already running (process {report.process.pid}); see `judgestream status`")
    different = differences(settings, report.settings, snapshot(settings), folder, report.release)
    if different:
        note("it runs with other settings:\n  " + "\n  ".join(different))
        note("to apply them: `judgestream down`, then `judgestream up`; the data stays")
    wanted = choice.judge
    if wanted and wanted != report.release:
        note(
            f"the workers use {report.release}; to change it while the stack runs: `judgestream"
            " release install` if it is not installed yet, then `judgestream release use NAME`"
        )
        return ExitCode.NO
    return ExitCode.NO if different else ExitCode.OK


def differences(
    settings: Settings,
    running: Mapping[str, str],
    wanted: Mapping[str, str],
    folder: Path,
    release: str,
) -> list[str]:
    """One line for every setting whose value differs from the running stack's. The address of one of the
    stack's own servers is never a difference.
    """
    from judgestream.local.variables import host_port, read_variables
    from judgestream.settings import PREFIX

    own = {place for text in read_variables(folder).values() if (place := host_port(text))}
    lines: list[str] = []
    for path, value in wanted.items():
        before = running.get(path, "")
        if value == before or path == "local.data":
            continue
        group, name = path.split(".")
        named = name in getattr(settings, group).model_fields_set
        if path == "triton.control_key" or (path in PORTS and not named):
            continue
        if path == "triton.release" and value in ("", release):
            continue
        if path in ("kafka.bootstrap", "redis.url", "triton.grpc", "rollout.grpc"):
            current = getattr(getattr(settings, group), name)
            address = current.get_secret_value() if path == "redis.url" else current
            if host_port(address) in own or not named:
                continue
        secret = isinstance(getattr(getattr(settings, group), name), SecretStr)
        text = "has changed" if secret else f"is {before or 'unset'}, wanted {value or 'unset'}"
        variable = f"{PREFIX}{path.replace('.', '__')}".upper()
        lines.append(f"{path} {text} ({variable})")
    return lines


def _detach(folder: Path, choice: "JudgeOptions") -> None:
    """Start the supervisor in the background and wait until it is ready. Any error stops it again."""
    from judgestream.local.folder import make_folder
    from judgestream.local.lock import FolderLock

    make_folder(folder)
    log = folder / "stack.log"
    signal.signal(signal.SIGTERM, _interrupt)
    with FolderLock(folder / "start", purpose="a start of the local stack"):
        if log.exists():
            log.replace(log.with_name("stack.log.1"))
        with open(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
            process = subprocess.Popen(
                [sys.executable, *_arguments(folder, choice)],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            _follow(process, folder, log)
        except BaseException as exc:
            if isinstance(exc, KeyboardInterrupt):
                note("interrupted: stopping")
            _end(process)
            raise


def _arguments(folder: Path, choice: "JudgeOptions") -> list[str]:
    options = {
        "--judge": choice.judge,
        "--key-variable": choice.key_variable,
        "--template": choice.template,
    }
    given = [f"{option}={value}" for option, value in options.items() if value]
    model = [choice.model] if choice.model else []
    command = ["-m", "judgestream.apps.cli", "up", "--foreground", f"--data={folder}", *given]
    return [*command, "--", *model]


def _follow(process: "subprocess.Popen[bytes]", folder: Path, log: Path) -> None:
    """Print the child's messages until it is ready. Raises Exit with the reason when it has ended."""
    from judgestream.local.supervisor_file import Phase, read_report

    deadline = time.monotonic() + UP_S
    printed = 0
    while True:
        code = process.poll()
        report = read_report(folder)
        if report is not None and report.process.pid == process.pid:
            for message in report.messages[printed:]:
                note(message)
            printed = len(report.messages)
            if report.phase is Phase.READY:
                return
        if code is not None:
            failed = report is not None and report.process.pid == process.pid and report.error
            text = report.error if report is not None and failed else _last_words(log)
            typer.echo(f"judgestream: {text}", err=True)
            raise typer.Exit(code or ExitCode.SERVER)
        if time.monotonic() > deadline:
            raise ConfigurationError(f"not ready within {UP_S:.0f} s; see {log}")
        time.sleep(0.2)


def _last_words(log: Path) -> str:
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as exc:
        return f"the supervisor has ended, and its log {log} cannot be read: {exc.strerror}"
    text = "\n".join(lines[-30:]).removeprefix("judgestream: ")
    return text or f"the supervisor has ended without a message; see {log}"


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Stop the child, with time to stop what it has started."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()  # then the keepers stop the servers
            process.wait()


def _stay(settings: Settings, folder: Path, choice: "JudgeOptions") -> int:
    """Run the stack in this process until it is stopped."""
    from judgestream.apps.machine.supervisor import Supervisor
    from judgestream.telemetry import logs

    logs.configure(settings.worker, kind="supervisor")
    return Supervisor(settings, folder, judge=choice, say=note).run(exit_code)


def _interrupt(_: int, __: FrameType | None) -> None:
    raise KeyboardInterrupt
