"""`supervisor.json`: the state of a data folder's supervisor, for `up`, `status` and other commands.

Only the supervisor writes it, atomically, at every change. Readers treat a missing or unreadable file as
"nothing is known".
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from judgestream.local.identity import ProcessId, alive, boot_id
from judgestream.local.private import write_private

FILE_NAME = "supervisor.json"
_FORMAT = 1


class Phase(StrEnum):
    STARTING = "starting"
    READY = "ready"
    STOPPING = "stopping"
    FAILED = "failed"


class PartState(StrEnum):
    STARTING = "starting"
    RUNNING = "running"
    RESTARTING = "restarting"
    """It has ended; the next start is at `restart_at`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PartReport:
    """One server or worker.

    name        "Kafka", or a worker's kind and slot: "judging-0"
    pid         of the server or worker itself; None while it does not run
    restarts    number of restarts since the supervisor began
    since       when it entered this state, seconds since 1970 (UTC); `restart_at` likewise
    error       why it ended last, with the last lines of its log; "" if it never ended
    """

    name: str
    worker: bool
    state: PartState
    pid: int | None
    restarts: int
    since: float
    log: str
    restart_at: float | None = None
    error: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class SupervisorReport:
    """The state of a supervisor.

    messages           progress so far, for the command that waits
    error, exit_code   why it failed, in phase FAILED
    release            the judge that it was started with; "" when Triton is external and none is named
    rollout            address of its rollout service; "" before it is ready
    settings           setting -> value as text (secrets as a digest), with which the workers were started
    """

    process: ProcessId
    boot: str
    phase: Phase
    messages: tuple[str, ...] = ()
    error: str = ""
    exit_code: int = 0
    release: str = ""
    rollout: str = ""
    parts: tuple[PartReport, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def alive(self) -> bool:
        """Whether the supervisor that wrote this still runs."""
        return self.boot == boot_id() and alive(self.process)


def write_report(data_dir: Path, report: SupervisorReport) -> None:
    """Raises DataUnusable when the file cannot be written, for example on a full disk."""
    text = json.dumps({"format": _FORMAT, **asdict(report)}, indent=1)
    write_private(data_dir / FILE_NAME, text + "\n")


def read_report(data_dir: Path) -> SupervisorReport | None:
    """The last report. None if it is missing or unreadable."""
    try:
        raw = json.loads((data_dir / FILE_NAME).read_text(encoding="utf-8"))
        if raw.pop("format") != _FORMAT:
            return None
        return _report(raw)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def remove_report(data_dir: Path) -> None:
    (data_dir / FILE_NAME).unlink(missing_ok=True)


def _report(raw: dict[str, Any]) -> SupervisorReport:
    parts = tuple(
        PartReport(**{**part, "state": PartState(part["state"])}) for part in raw.pop("parts")
    )
    return SupervisorReport(
        process=ProcessId(**raw.pop("process")),
        phase=Phase(raw.pop("phase")),
        messages=tuple(raw.pop("messages")),
        parts=parts,
        **raw,
    )
