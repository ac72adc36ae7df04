"""The keeper of a server: a small process between us and the server that cleans up after it.

It runs as a script under `python -I -S`, so that none of the user's Python settings reach it. It therefore
uses the standard library only: psutil, which the rest of `local` uses, cannot be imported here.

Its task is JSON on standard input, because other users can read a command line and a server's environment
may contain secrets. It starts the server in its own process group and waits until the server ends, SIGTERM
arrives, or our process is gone (also by SIGKILL, where our own clean-up code does not run). Then it
terminates the server, kills the rest of its group and its orphans, removes the shared-memory files listed
for it, and exits with the server's status.

PR_SET_PDEATHSIG alone is not enough. It is bound to the *thread* that forked, so a server started from a
worker thread would die with that thread; it cannot terminate a server gracefully; and it does not reach
Triton's Python stubs. Here it only binds the server to its keeper, which has one thread.
"""

import ctypes
import glob
import io
import json
import os
import select
import signal
import struct
import subprocess
import sys
import time

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_PTRACE_TRACEME, _PTRACE_DETACH = 0, 17
_POINTER = struct.calcsize("P")
# Field 28 of /proc/<pid>/stat, counted after the closing parenthesis.
_START_STACK = 25
_HIDDEN = "JUDGESTREAM_KEEPER_HIDDEN_"
# A fallback only: a death or a signal wakes the keeper at once.
_POLL_SECONDS = 1.0


def _say(name: str, text: str) -> None:
    sys.stderr.write(f"[keeper of {name}] {text}\n")
    sys.stderr.flush()


def _children() -> list[int]:
    """All living children: the server, and orphans that this process inherited as their subreaper."""
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
    """Send SIGKILL to the server's group and to every child until none is left."""
    try:
        os.killpg(group, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass
    give_up = time.monotonic() + 5.0
    while time.monotonic() < give_up:
        for pid in _children():  # includes the children of a child killed before
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
    """Block until the server has ended, a signal says "stopped", or the parent is gone: "orphaned"."""
    poller = select.poll()
    poller.register(wake, select.POLLIN)
    for pid in (parent, server.pid):
        try:
            poller.register(os.pidfd_open(pid), select.POLLIN)
        except OSError:
            pass  # an old kernel, or already gone: the checks below notice
    while True:
        if server.poll() is not None:
            return "ended"
        if os.getppid() != parent:
            return "orphaned"
        if any(fd == wake for fd, _ in poller.poll(_POLL_SECONDS * 1000)):
            if any(number != signal.SIGCHLD for number in os.read(wake, 4096)):
                return "stopped"


def _start(task: "dict[str, object]", libc: ctypes.CDLL) -> "subprocess.Popen[bytes]":
    """Start the server, with its hidden arguments kept out of the process list where the system allows it."""
    hidden = [str(argument) for argument in task["hidden"]]  # type: ignore[attr-defined]
    if hidden:
        try:
            return _start_hiding(task, libc, hidden)
        except (OSError, subprocess.SubprocessError) as error:
            _say(str(task["name"]), f"other users can see its arguments: tracing fails ({error})")
    return _spawn(task, libc, hidden, {}, trace=False)


def _spawn(
    task: "dict[str, object]",
    libc: ctypes.CDLL,
    arguments: "list[str]",
    variables: "dict[str, str]",
    *,
    trace: bool,
) -> "subprocess.Popen[bytes]":
    keeper = os.getpid()

    def in_child() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != keeper:
            os._exit(1)
        if trace and libc.ptrace(_PTRACE_TRACEME, 0, None, None) != 0:
            raise OSError(ctypes.get_errno(), "ptrace")

    return subprocess.Popen(
        [*task["argv"], *arguments],  # type: ignore[misc]
        stdin=subprocess.DEVNULL,
        env={**task["env"], **variables},  # type: ignore[dict-item]
        cwd=str(task["cwd"]),
        process_group=0,
        preexec_fn=in_child,  # safe, as this process has one thread
    )


def _start_hiding(
    task: "dict[str, object]", libc: ctypes.CDLL, hidden: "list[str]"
) -> "subprocess.Popen[bytes]":
    """Pass hidden arguments as variables.

    All users can read a process's arguments, but only its owner its environment. So each hidden argument is
    passed as a variable, with a dash in its place. Before the program's first instruction the argument's
    pointer is redirected to the variable's value. The variables are then removed from the environment, so
    that no child of the server inherits them.
    """
    names = [f"{_HIDDEN}{k}=" for k in range(len(hidden))]
    variables = {name[:-1]: value for name, value in zip(names, hidden, strict=True)}
    server = _spawn(task, libc, ["-"] * len(hidden), variables, trace=True)
    try:
        _, status = os.waitpid(server.pid, 0)  # a traced process stops at exec
        if not os.WIFSTOPPED(status):
            raise OSError("the process did not stop at exec")
        with open(f"/proc/{server.pid}/mem", "r+b", buffering=0) as memory:
            _redirect(server.pid, memory, [os.fsencode(name) for name in names])
        if libc.ptrace(_PTRACE_DETACH, server.pid, None, None) != 0:
            raise OSError(ctypes.get_errno(), "ptrace")
    except BaseException:
        server.kill()
        server.wait()
        raise
    return server


def _redirect(pid: int, memory: "io.FileIO", names: "list[bytes]") -> None:
    """Make the last arguments point to the values of the variables with these names.

    The stack of a starting program holds the number of arguments, their pointers, null, the pointers of the
    variables, null.
    """

    def word(address: int) -> int:
        memory.seek(address)
        return int(struct.unpack("P", memory.read(_POINTER))[0])

    with open(f"/proc/{pid}/stat", errors="replace") as handle:
        top = int(handle.read().rpartition(")")[2].split()[_START_STACK])
    arguments = top + _POINTER
    count = word(top)
    variables = arguments + (count + 1) * _POINTER
    pointers: list[int] = []
    while pointer := word(variables + len(pointers) * _POINTER):
        pointers.append(pointer)
    kept: list[int] = []
    values: dict[bytes, int] = {}
    for pointer in pointers:
        memory.seek(pointer)
        text = memory.read(len(_HIDDEN) + 8)
        name = next((name for name in names if text.startswith(name)), None)
        if name is None:
            kept.append(pointer)
        else:
            values[name] = pointer + len(name)
    if len(values) != len(names) or not kept:
        raise OSError("the process's environment was not found")
    for k, name in enumerate(names):
        memory.seek(arguments + (count - len(names) + k) * _POINTER)
        memory.write(struct.pack("P", values[name]))
    # The number of pointers must not change, since the linker reads what follows them: another variable
    # takes the place of each hidden one.
    memory.seek(variables)
    memory.write(b"".join(struct.pack("P", p) for p in [*kept, *kept[:1] * len(names)]))


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

    try:
        server = _start(task, libc)
    except OSError as error:
        os.write(report, json.dumps({"error": str(error)}).encode() + b"\n")
        return 127
    os.write(report, json.dumps({"pid": server.pid}).encode() + b"\n")
    os.close(report)

    reason = _wait_for_reason(server, parent, wake)
    if reason != "ended":
        if reason == "orphaned":
            _say(name, f"the parent process {parent} is gone: stopping {name}")
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
