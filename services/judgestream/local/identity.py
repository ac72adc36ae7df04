"""Exact process identity: a pid together with its start time, since pids alone are reused."""

import os
import signal
from dataclasses import dataclass
from pathlib import Path

import psutil

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, kw_only=True)
class ProcessId:
    """One process of this boot. `started` is in clock ticks since boot (proc(5), field 22)."""

    pid: int
    started: int


def identify(pid: int) -> ProcessId | None:
    """The process that has this pid now, or None. A zombie has ended and counts as none."""
    try:
        return _identity(psutil.Process(pid))
    except (psutil.Error, ValueError):
        return None


def _identity(process: psutil.Process) -> ProcessId | None:
    if process.status() in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD):
        return None
    # psutil adds the boot time, which moves when the machine's clock is set: take it off again
    boot = psutil.boot_time()
    return ProcessId(pid=process.pid, started=round((process.create_time() - boot) * _TICKS))


def alive(process: ProcessId) -> bool:
    """Whether this very process still runs, and not another one that got its pid."""
    return identify(process.pid) == process


def boot_id() -> str:
    """Identifies this boot of the machine: start times of two boots cannot be compared.

    psutil has the boot time only, which moves when the machine's clock is set.
    """
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return "unknown"


def group_members(leader: ProcessId) -> list[ProcessId]:
    """Living members of the process group that `leader` founded, the leader included.

    Empty when another process has the leader's pid: the kernel does not give a pid away while a group of
    that number lives, so the old group is gone.
    """
    current = identify(leader.pid)
    if current is not None and current != leader:
        return []
    members = []
    for pid in psutil.pids():
        try:
            if os.getpgid(pid) != leader.pid:
                continue
        except (ProcessLookupError, PermissionError):
            continue
        member = identify(pid)
        if member is not None and member.started >= leader.started:
            members.append(member)
    return members


def kill_group(leader: ProcessId) -> int:
    """SIGKILL to what is left of `leader`'s group. Returns how many processes were signalled."""
    members = group_members(leader)
    for member in members:
        send(member, signal.SIGKILL)
    return len(members)


def send(process: ProcessId, signum: signal.Signals) -> bool:
    """Signal this very process. False when it has ended already."""
    if not alive(process):
        return False
    try:
        os.kill(process.pid, signum)
    except ProcessLookupError:
        return False
    return True


def children(pid: int) -> list[ProcessId]:
    """The living child processes of `pid`."""
    try:
        processes = psutil.Process(pid).children()
    except psutil.Error:
        return []
    identities = (identify(process.pid) for process in processes)
    return [identity for identity in identities if identity is not None]


def program_name(pid: int) -> str:
    """The program's name; "" when there is no such process."""
    try:
        return psutil.Process(pid).name()
    except psutil.Error:
        return ""
