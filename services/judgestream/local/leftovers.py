"""Processes that an earlier run of a data folder left behind, stopped before the next start.

A killed supervisor leaves keepers that are still stopping their servers. Ports and folders are free only
when those have ended.
"""

import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from judgestream.local.errors import FolderInUse, LocalServerError
from judgestream.local.identity import alive, send
from judgestream.local.lock import FolderLock
from judgestream.local.state import read_state, stop_from_state
from judgestream.local.supervisor_file import read_report

PARTS = ("workers", "kafka", "valkey", "triton")
WAIT_S = 60.0


def end_leftovers(data_dir: Path, say: Callable[[str], None]) -> None:
    """Return when nothing of an earlier run is left. The caller holds the data folder's lock, so no
    supervisor is running.

    Raises:
        LocalServerError: a process does not end; the message names it.
    """
    state = read_state(data_dir)
    busy = [part for part in PARTS if _held(data_dir / part)]
    if state is not None and (state.running() or busy):
        say("stopping what the last run left behind")
    if state is not None:
        stop_from_state(data_dir, seconds=WAIT_S, stop_owner=False)
    _wait_for(data_dir, busy)


def stop_all(data_dir: Path, say: Callable[[str], None], *, seconds: float) -> bool:
    """Stop everything that runs for this folder: a stack, a starting one, or the rest of a killed one.
    Returns False when nothing runs.

    Raises:
        DataUnusable: the state file cannot be read, and no supervisor is known.
        LocalServerError: a process does not end.
    """
    report = read_report(data_dir)
    supervisor = report.process if report is not None and report.alive else None
    if supervisor is not None and send(supervisor, signal.SIGTERM):
        deadline = time.monotonic() + seconds
        while alive(supervisor) and time.monotonic() < deadline:
            time.sleep(0.05)
        send(supervisor, signal.SIGKILL)
    stopped = stop_from_state(data_dir, seconds=seconds)
    busy = [part for part in PARTS if _held(data_dir / part)]
    _wait_for(data_dir, busy)
    return stopped or bool(busy) or supervisor is not None


def _wait_for(data_dir: Path, busy: Sequence[str]) -> None:
    """Wait until the keepers of these parts have released their folders."""
    for part in busy:
        try:
            FolderLock(
                data_dir / part, purpose=f"the folder of {part}", wait_seconds=WAIT_S
            ).release()
        except FolderInUse as error:
            raise LocalServerError(
                f"{part} of an earlier run has not stopped within {WAIT_S:.0f} s: {error}"
            ) from error


def _held(folder: Path) -> bool:
    if not folder.is_dir():
        return False
    try:
        FolderLock(folder, purpose="").release()
    except FolderInUse:
        return True
    except OSError:
        pass  # not writable for this user, so nothing of the stack runs there
    return False
