"""A server as a child process: start, readiness, stop, and the end of its log."""

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from judgestream.local import keeper
from judgestream.local.errors import LocalServerError, ServerDied, ServerNotReady
from judgestream.local.identity import ProcessId, identify, kill_group

_LOGS_KEPT = 9
_LOG_LINES = 15
# Enough for a Python process to start on a very busy machine.
_KEEPER_SECONDS = 20.0


@dataclass(frozen=True, kw_only=True)
class Command:
    """The command of a server.

    name               used in messages
    log_path           receives stdout and stderr; logs of earlier starts have the suffixes `.1` to `.9`
    stop_seconds       from SIGTERM to SIGKILL
    remove_after       glob patterns of files that the server leaves behind
    hidden_arguments   follow `argv` and contain secrets: they do not appear in the process list
    """

    name: str
    argv: Sequence[str]
    log_path: Path
    cwd: Path
    env: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    stop_seconds: float = 10.0
    remove_after: Sequence[str] = ()
    hidden_arguments: Sequence[str] = field(default=(), repr=False)


class ServerProcess:
    """A running server and its keeper. Safe to create from any thread."""

    def __init__(self, command: Command, *, held_files: Sequence[int] = ()) -> None:
        """Start it. `held_files` are lock files that the keeper keeps open until all processes have ended.

        Raises ServerDied when the program cannot be executed.
        """
        self.command = command
        command.log_path.parent.mkdir(parents=True, exist_ok=True)
        _rotate(command.log_path)
        read_end, write_end = os.pipe()
        try:
            task = {
                "name": command.name,
                "argv": list(command.argv),
                "hidden": list(command.hidden_arguments),
                "env": dict(command.env),
                "cwd": str(command.cwd),
                "stop_seconds": command.stop_seconds,
                "remove_after": list(command.remove_after),
                "parent": os.getpid(),
                "report": write_end,
            }
            with command.log_path.open("ab") as log:
                self._keeper = subprocess.Popen(
                    # -I -S: none of the user's Python settings may reach the keeper
                    [sys.executable, "-I", "-S", str(keeper.__file__)],
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,  # Ctrl-C must not reach the servers directly
                    pass_fds=(write_end, *held_files),
                )
        finally:
            os.close(write_end)
        try:
            assert self._keeper.stdin is not None  # noqa: S101  # stdin is PIPE above  # nosec B101
            with self._keeper.stdin as keeper_input:
                keeper_input.write(json.dumps(task).encode())
            self.server = self._read_report(read_end)
        except BaseException:
            self._keeper.kill()
            self._keeper.wait()
            raise
        finally:
            os.close(read_end)
        self.keeper = identify(self._keeper.pid) or ProcessId(pid=self._keeper.pid, started=0)

    def _read_report(self, read_end: int) -> ProcessId:
        text = b""
        deadline = time.monotonic() + _KEEPER_SECONDS
        while not text.endswith(b"\n"):
            readable, _, _ = select.select(
                [read_end], [], [], max(0.0, deadline - time.monotonic())
            )
            chunk = os.read(read_end, 65536) if readable else b""
            if not chunk:
                raise ServerDied(
                    f"{self.command.name} could not be started: its keeper process did not answer"
                    f" within {_KEEPER_SECONDS:.0f} s.{self.log_tail()}"
                )
            text += chunk
        report = json.loads(text)
        if "error" in report:
            raise ServerDied(
                f"{self.command.name} could not be started: {report['error']}."
                f" Check that {self.command.argv[0]} exists and is executable."
            )
        pid = int(report["pid"])
        return identify(pid) or ProcessId(pid=pid, started=0)

    @property
    def pid(self) -> int:
        """The pid of the server itself, not of its keeper."""
        return self.server.pid

    def poll(self) -> int | None:
        """The exit status once server and keeper have ended (128 + the number of a signal), else None."""
        status = self._keeper.poll()  # negative only if the keeper itself was killed
        return 128 - status if status is not None and status < 0 else status

    @property
    def running(self) -> bool:
        return self.poll() is None

    def check(self) -> None:
        """Raise ServerDied with the last lines of the log when the server has ended."""
        status = self.poll()
        if status is None:
            return
        kill_group(self.server)  # finds processes only if the keeper itself was killed
        raise ServerDied(
            f"{self.command.name} ended unexpectedly ({_status_words(status)})."
            f" The reason is usually in the last lines of its log.{self.log_tail()}"
        )

    def wait_ready(
        self, probe: Callable[[], bool], *, what: str, seconds: float, advice: str
    ) -> None:
        """Call `probe` until it returns true. `what` completes "has not ... within N s", `advice` follows.

        Raises ServerDied as soon as the process ends, and ServerNotReady at the deadline.
        """
        deadline = time.monotonic() + seconds
        while True:
            self.check()
            if probe():
                return
            if time.monotonic() >= deadline:
                raise ServerNotReady(
                    f"{self.command.name} runs (pid {self.pid}) but has not {what} within"
                    f" {seconds:.0f} s. {advice}{self.log_tail()}"
                )
            time.sleep(0.02)

    def stop(self) -> None:
        """Send SIGTERM, and SIGKILL to the whole group after the deadline. Does nothing after its end.

        Raises LocalServerError when SIGKILL does not end it (a process stuck in the kernel).
        """
        if self._keeper.poll() is None:
            self._keeper.terminate()
        try:
            self._keeper.wait(self.command.stop_seconds + 10.0)
        except subprocess.TimeoutExpired:
            self._keeper.kill()  # the server dies with it (PR_SET_PDEATHSIG)
            self._keeper.wait()
        deadline = time.monotonic() + 5.0
        while kill_group(self.server):
            if time.monotonic() > deadline:
                raise LocalServerError(
                    f"{self.command.name} (process group {self.pid}) does not end after"
                    f" SIGKILL. Inspect it with `ps -o pid,stat,wchan -g {self.pid}`."
                )
            time.sleep(0.01)

    def log_tail(self, lines: int = _LOG_LINES) -> str:
        """The log's path and its last lines, to append to a message."""
        path = self.command.log_path
        try:
            with path.open("rb") as log:
                log.seek(0, os.SEEK_END)
                log.seek(max(0, log.tell() - 16_384))
                tail = log.read().decode(errors="replace").splitlines()[-lines:]
        except OSError:
            tail = []
        if not tail:
            return f"\nLog {path}: empty."
        return f"\nLast lines of {path}:\n" + "\n".join(f"  | {line}" for line in tail)


def _rotate(log_path: Path) -> None:
    """Rename the logs of earlier starts to `.1` (the latest) to `.9`.

    When a process keeps dying, the log of its first failure names the reason.
    """
    logs = [
        log_path,
        *(log_path.with_name(f"{log_path.name}.{k}") for k in range(1, _LOGS_KEPT + 1)),
    ]
    for older, newer in zip(reversed(logs), reversed(logs[:-1]), strict=False):
        if newer.exists():
            newer.replace(older)


def _status_words(status: int) -> str:
    if status > 128:
        return f"killed by signal {status - 128}"
    return f"exit status {status}"
