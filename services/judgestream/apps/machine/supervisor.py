"""The process behind `judgestream up`: keeps a local stack running until it is stopped.

It reports its state in `supervisor.json` (see `local.supervisor_file`). Other commands never read its log.
"""

import hashlib
import logging
import os
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import FrameType

from pydantic import SecretStr

from judgestream.apps.machine.chosen_judge import JudgeOptions
from judgestream.apps.machine.local_stack import LocalStack
from judgestream.core.errors import JudgestreamError
from judgestream.local.errors import DataUnusable, LocalServerError
from judgestream.local.folder import make_folder
from judgestream.local.identity import boot_id, identify
from judgestream.local.supervisor_file import (
    Phase,
    SupervisorReport,
    read_report,
    remove_report,
    write_report,
)
from judgestream.local.variables import write_variables
from judgestream.settings import Settings, names

log = logging.getLogger(__name__)

LOOK_S = 1.0

Say = Callable[[str], None]


class Supervisor:
    """Runs the stack of one data folder in this process."""

    def __init__(self, settings: Settings, folder: Path, *, judge: JudgeOptions, say: Say) -> None:
        """`say` is called with one line per step."""
        owner = identify(os.getpid())
        if owner is None:
            raise LocalServerError("/proc is not readable: mount it, Linux servers need it too.")
        self._folder = folder
        self._tell = say
        self._stack = LocalStack(settings, data=folder, judge=judge)
        self._owns_report = False
        self._unwritten = False
        self._report = SupervisorReport(
            process=owner, boot=boot_id(), phase=Phase.STARTING, settings=snapshot(settings)
        )

    def run(self, exit_code: Callable[[JudgestreamError], int]) -> int:
        """Start everything and keep it running. Returns the process's exit code after SIGTERM or Ctrl-C.

        Raises:
            JudgestreamError: the stack could not be started.
        """
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, _interrupt)
        try:
            make_folder(self._folder)
            self._claim_report()
            self._stack.start(self._say)
            self._ready()
            while True:
                time.sleep(LOOK_S)
                self._look()
        except KeyboardInterrupt:
            self._say("stopping")
            self._publish(phase=Phase.STOPPING)
            return 0
        except JudgestreamError as exc:
            self._publish(phase=Phase.FAILED, error=str(exc), exit_code=exit_code(exc))
            raise
        finally:
            self._stack.stop()
            if self._owns_report and self._report.phase is not Phase.FAILED:
                remove_report(self._folder)

    def _claim_report(self) -> None:
        """Leave the report of another running supervisor alone: the folder's lock will refuse this one."""
        other = read_report(self._folder)
        self._owns_report = other is None or not other.alive
        self._publish()

    def _ready(self) -> None:
        write_variables(self._folder, self._stack.addresses)
        self._say("ready")
        self._publish(
            phase=Phase.READY,
            release=self._stack.release_name,
            rollout=self._stack.rollout_address,
            parts=self._stack.reports(),
        )

    def _look(self) -> None:
        """Run one step. No error ends the supervisor, since all servers and workers would end with it: a full
        disk, for example, is a passing problem."""
        try:
            if self._stack.step() or self._unwritten:
                self._publish(
                    release=self._stack.release_name,
                    parts=self._stack.reports(),
                )
        except Exception:
            log.exception("unexpected error; the supervisor continues")

    def _say(self, text: str) -> None:
        try:
            self._tell(text)
        except OSError:
            pass  # the terminal is gone, or the log's disk is full
        self._publish(messages=(*self._report.messages, text))

    def _publish(self, **changes: object) -> None:
        self._report = replace(self._report, **changes)  # type: ignore[arg-type]
        if not self._owns_report:
            return
        try:
            write_report(self._folder, self._report)
            self._unwritten = False
        except (OSError, DataUnusable) as exc:
            if not self._unwritten:
                log.error("supervisor.json cannot be written, will retry: %s", exc)
            self._unwritten = True


def snapshot(settings: Settings) -> Mapping[str, str]:
    """Every setting as text, to compare with later. Secrets as a digest."""
    values: dict[str, str] = {}
    for path, _, _ in names().values():
        group, name = path.split(".")
        value = getattr(getattr(settings, group), name)
        if isinstance(value, SecretStr):
            text = value.get_secret_value()
            value = hashlib.sha256(text.encode()).hexdigest()[:16] if text else ""
        values[path] = "" if value is None else str(value)
    return values


def _interrupt(_: int, __: FrameType | None) -> None:
    # Further signals are ignored: stopping has its own deadlines.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt
