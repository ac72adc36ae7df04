"""A process is identified by its pid and its start time, so a reused pid is never mistaken for it."""

import os
import signal
import subprocess
import sys
from dataclasses import replace

from judgestream.local.identity import (
    alive,
    children,
    group_members,
    identify,
    kill_group,
    program_name,
    send,
)

SLEEP = [sys.executable, "-I", "-S", "-c", "import time; time.sleep(60)"]


def test_this_process_is_alive_and_has_a_name() -> None:
    me = identify(os.getpid())
    assert me is not None and alive(me)
    assert program_name(os.getpid())


def test_a_start_time_does_not_move_with_the_clock() -> None:
    with open(f"/proc/{os.getpid()}/stat") as stat:
        ticks = int(stat.read().rpartition(")")[2].split()[19])
    me = identify(os.getpid())
    assert me is not None and me.started == ticks


def test_a_process_with_a_reused_pid_is_not_signalled() -> None:
    child = subprocess.Popen(SLEEP)
    try:
        now = identify(child.pid)
        assert now is not None
        earlier = replace(now, started=now.started - 1)
        assert not alive(earlier)
        assert not send(earlier, signal.SIGKILL)
        assert group_members(earlier) == []
        assert kill_group(earlier) == 0
        assert child.poll() is None
    finally:
        child.kill()
        child.wait()


def test_a_zombie_counts_as_ended() -> None:
    child = subprocess.Popen(SLEEP)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # ended, but not reaped yet
    assert identify(child.pid) is None
    assert child.pid not in [process.pid for process in children(os.getpid())]
    child.wait()


def test_a_group_is_found_and_killed_after_its_leader_is_gone() -> None:
    script = "import subprocess, sys; subprocess.Popen(sys.argv[1:]); sys.stdin.read()"
    leader = subprocess.Popen(
        [sys.executable, "-c", script, *SLEEP], stdin=subprocess.PIPE, process_group=0
    )
    identity = identify(leader.pid)
    assert identity is not None and leader.stdin is not None
    while len(group_members(identity)) < 2:
        assert leader.poll() is None
    leader.kill()
    leader.stdin.close()
    leader.wait()
    assert len(group_members(identity)) == 1
    assert kill_group(identity) == 1
