"""The process behind `judgestream up`: one machine, kept running until it is told to stop.

What it does stands in `supervisor.json` (see `local.supervisor_file`); nobody reads its log for that.
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

from judgestream.apps.machine.chosen_judge import JudgeWish
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
    """Runs one data folder in this process."""

    def __init__(self, settings: Settings, folder: Path, *, wish: JudgeWish, say: Say) -> None:
        """`say` is told, line by line, what has been done."""
        owner = identify(os.getpid())
        if owner is None:
            raise LocalServerError("/proc is not readable: mount it, Linux servers need it too.")
        self._folder = folder
        self._tell = say
        self._machine = LocalStack(settings, data=folder, wish=wish)
        self._owns_report = False
        self._unwritten = False
        self._report = SupervisorReport(
            process=owner, boot=boot_id(), phase=Phase.STARTING, settings=snapshot(settings)
        )

    def run(self, exit_code: Callable[[JudgestreamError], int]) -> int:
        """Start everything and keep it running; returns the process's exit code after SIGTERM or Ctrl-C.

        Raises:
            JudgestreamError: it could not be started.
        """
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, _interrupt)
        try:
            make_folder(self._folder)
            self._claim_report()
            self._machine.start(self._say)
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
            self._machine.stop()
            if self._owns_report and self._report.phase is not Phase.FAILED:
                remove_report(self._folder)

    def _claim_report(self) -> None:
        """The report of another supervisor that lives is left alone: the folder's lock will refuse us."""
        other = read_report(self._folder)
        self._owns_report = other is None or not other.alive
        self._publish()

    def _ready(self) -> None:
        write_variables(self._folder, self._machine.addresses)
        self._say("ready")
        self._publish(
            phase=Phase.READY, release=self._machine.release_name, parts=self._machine.reports()
        )

    def _look(self) -> None:
        """One look. Whatever goes wrong here, the servers and workers go on: a full disk is repaired one
        day, and a supervisor that ended would take everything with it."""
        try:
            if self._machine.step() or self._unwritten:
                self._publish(
                    release=self._machine.release_name,
                    parts=self._machine.reports(),
                    switch=self._machine.switch_report,
                )
        except Exception:
            log.exception("the supervisor goes on after an error")

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
                log.error("supervisor.json cannot be written, and is tried again: %s", exc)
            self._unwritten = True


def snapshot(settings: Settings) -> Mapping[str, str]:
    """Every setting as text, for a later comparison. Of a secret only a digest."""
    found: dict[str, str] = {}
    for path, _, _ in names().values():
        group, name = path.split(".")
        value = getattr(getattr(settings, group), name)
        if isinstance(value, SecretStr):
            text = value.get_secret_value()
            value = hashlib.sha256(text.encode()).hexdigest()[:16] if text else ""
        found[path] = "" if value is None else str(value)
    return found


def _interrupt(_: int, __: FrameType | None) -> None:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(
            number, signal.SIG_IGN
        )  # stopping is not interrupted: it has its own deadlines
    raise KeyboardInterrupt
