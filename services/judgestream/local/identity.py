"""Which process exactly: a pid alone is reused, a pid with its start time is not."""

import os
import signal
from dataclasses import dataclass
from pathlib import Path

_PPID, _PGRP, _START = 1, 2, 19  # places in /proc/<pid>/stat, counted after the closing parenthesis


@dataclass(frozen=True, kw_only=True)
class ProcessId:
    """One process of this boot. `started` is in clock ticks since boot (proc(5), field 22)."""

    pid: int
    started: int


def _stat(pid: int) -> list[str] | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return None
    # The program's name stands in parentheses and may itself contain blanks and parentheses.
    fields = text.rpartition(")")[2].split()
    return fields if fields and fields[0] not in "ZX" else None


def identify(pid: int) -> ProcessId | None:
    """The process that has this pid now, or None: a zombie has ended and counts as none."""
    fields = _stat(pid)
    return None if fields is None else ProcessId(pid=pid, started=int(fields[_START]))


def alive(process: ProcessId) -> bool:
    """Whether this very process still runs, and not a stranger who got its pid."""
    return identify(process.pid) == process


def boot_id() -> str:
    """This boot of the machine: start times of two boots cannot be compared."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return "unknown"


def group_members(leader: ProcessId) -> list[ProcessId]:
    """Living members of the process group that `leader` founded, the leader included.

    Empty when the leader's pid belongs to a stranger now: the kernel does not give a pid away
    while a group of that number lives, so a stranger there means that the old group is gone.
    """
    current = identify(leader.pid)
    if current is not None and current != leader:
        return []
    members = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        fields = _stat(int(entry))
        if fields is None or int(fields[_PGRP]) != leader.pid:
            continue
        if int(fields[_START]) >= leader.started:
            members.append(ProcessId(pid=int(entry), started=int(fields[_START])))
    return members


def kill_group(leader: ProcessId) -> int:
    """SIGKILL to what is left of `leader`'s group. Returns how many processes were signalled."""
    members = group_members(leader)
    for member in members:
        send(member, signal.SIGKILL)
    return len(members)


def send(process: ProcessId, signum: signal.Signals) -> bool:
    """Signal this very process; False when it has ended already."""
    if not alive(process):
        return False
    try:
        os.kill(process.pid, signum)
    except ProcessLookupError:
        return False
    return True


def children(pid: int) -> list[ProcessId]:
    """The living child processes of `pid`."""
    found = []
    for entry in os.listdir("/proc"):
        fields = _stat(int(entry)) if entry.isdigit() else None
        if fields is not None and int(fields[_PPID]) == pid:
            found.append(ProcessId(pid=int(entry), started=int(fields[_START])))
    return found


def program_name(pid: int) -> str:
    """The first 15 characters of the program's name; "" when there is no such process."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""
