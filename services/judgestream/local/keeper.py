"""A server's keeper: a small process between us and the server, so that nothing stays behind.

Run as a script, with the standard library only. Its task comes as JSON on standard input, because
other users could read a command line, and a server's environment may hold secrets. It starts the
server in its own process group and waits until the server ends, a SIGTERM comes, or our process is
gone (also by SIGKILL, where no clean-up code of ours runs). Then it stops the server in order,
kills what is left of its group and of its orphans, removes the shared-memory files named for it,
and exits with the server's status.

PR_SET_PDEATHSIG alone would not do: it is bound to the *thread* that forked, so a server started
from a worker thread would die with that thread; it cannot stop a server gently; and it does not
reach Triton's Python stubs. Here it only binds the server to its keeper, which has one thread.
"""

import ctypes
import glob
import json
import os
import select
import signal
import subprocess
import sys
import time

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_POLL_SECONDS = 1.0  # only a safety net: a death or a signal wakes the keeper at once


def _say(name: str, text: str) -> None:
    sys.stderr.write(f"[keeper of {name}] {text}\n")
    sys.stderr.flush()


def _children() -> list[int]:
    """Every living child: the server, and orphans that we inherited as their subreaper."""
    pids = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/stat", errors="replace") as handle:
                fields = handle.read().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == os.getpid() and fields[0] not in "ZX":
            pids.append(int(entry))
    return pids


def _kill_rest(group: int) -> None:
    """SIGKILL to the server's group and to every child, until none is left."""
    try:
        os.killpg(group, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass
    give_up = time.monotonic() + 5.0
    while time.monotonic() < give_up:
        for pid in _children():  # the children of a killed child become ours, and are next
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        time.sleep(0.005)


def _wait_for_reason(server: "subprocess.Popen[bytes]", parent: int, wake: int) -> str:
    """Block until the server ended ("ended"), we are told to stop ("told") or orphaned."""
    poller = select.poll()
    poller.register(wake, select.POLLIN)
    for pid in (parent, server.pid):
        try:
            poller.register(os.pidfd_open(pid), select.POLLIN)
        except OSError:
            pass  # an old kernel, or it is gone already: the checks below tell
    while True:
        if server.poll() is not None:
            return "ended"
        if os.getppid() != parent:
            return "orphaned"
        if any(fd == wake for fd, _ in poller.poll(_POLL_SECONDS * 1000)):
            if any(number != signal.SIGCHLD for number in os.read(wake, 4096)):
                return "told"


def main() -> int:
    task = json.load(sys.stdin)
    name, parent, report = str(task["name"]), int(task["parent"]), int(task["report"])
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)

    wake, write_end = os.pipe()
    os.set_blocking(write_end, False)
    signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(number, lambda *_: None)

    keeper = os.getpid()

    def bind_to_keeper() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != keeper:
            os._exit(1)

    try:
        server = subprocess.Popen(
            task["argv"],
            stdin=subprocess.DEVNULL,
            env=task["env"],
            cwd=task["cwd"],
            process_group=0,
            preexec_fn=bind_to_keeper,  # one thread here, so it is safe
        )
    except OSError as error:
        os.write(report, json.dumps({"error": str(error)}).encode() + b"\n")
        return 127
    os.write(report, json.dumps({"pid": server.pid}).encode() + b"\n")
    os.close(report)

    reason = _wait_for_reason(server, parent, wake)
    if reason != "ended":
        if reason == "orphaned":
            _say(name, f"our process {parent} is gone: stopping {name}")
        server.send_signal(signal.SIGTERM)
        try:
            server.wait(float(task["stop_seconds"]))
        except subprocess.TimeoutExpired:
            _say(name, f"{name} did not stop within {task['stop_seconds']} s: killing it")
            server.kill()
            server.wait()
    _kill_rest(server.pid)
    for pattern in task["remove_after"]:
        for path in glob.glob(pattern):
            try:
                os.unlink(path)
            except OSError as error:
                _say(name, f"could not remove {path}: {error}")
    status = server.returncode
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main())
