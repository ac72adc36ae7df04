"""Ports on 127.0.0.1: choose free ones, and say clearly who holds a wanted one."""

import contextlib
import os
import random
import socket
from pathlib import Path

from judgestream.local.errors import PortTaken

HOST = "127.0.0.1"
_LISTEN = "0A"  # state of a listening socket in /proc/net/tcp
_LOWEST, _HIGHEST = 20_000, 32_000
_given: set[int] = set()


def is_free(port: int) -> bool:
    """Whether a server could listen on this port of 127.0.0.1 now."""
    with socket.socket() as probe:
        # As servers do: a port in TIME_WAIT is no obstacle to them, a listener is.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def accepts(port: int, *, seconds: float = 1.0) -> bool:
    """Whether something on this port of 127.0.0.1 takes connections."""
    try:
        socket.create_connection((HOST, port), timeout=seconds).close()
    except OSError:
        return False
    return True


def free_port() -> int:
    """A port that is free now and was not given before by this process.

    It is chosen below the kernel's range for outgoing connections (from 32768), so that no
    client's connection takes it between this call and the server's start.
    Raises PortTaken when 200 ports tried at random are all taken.
    """
    chooser = random.SystemRandom()
    for _ in range(200):
        port = chooser.randrange(_LOWEST, _HIGHEST)
        if port not in _given and is_free(port):
            _given.add(port)
            return port
    raise PortTaken(
        f"No free port found on {HOST} between {_LOWEST} and {_HIGHEST}."
        " Stop some programs that listen there."
    )


def require_free(port: int, *, purpose: str, setting: str) -> None:
    """Raise PortTaken if a program listens on `port`. `setting` is the name of what to change."""
    if not 1 <= port <= 65_535:
        raise PortTaken(f"{setting}={port} for {purpose} is no port: give one from 1 to 65535.")
    if is_free(port):
        return
    raise PortTaken(
        f"Port {port} on {HOST}, wanted for {purpose}, is taken by {_holder(port)}."
        f" Stop that program, or change {setting}."
    )


def _holder(port: int) -> str:
    """Who listens there, in words; other users' processes cannot be seen without root."""
    inodes = _listening_inodes(port)
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        with contextlib.suppress(OSError):  # gone meanwhile, or another user's
            for handle in os.listdir(f"/proc/{entry}/fd"):
                with contextlib.suppress(OSError):
                    if os.readlink(f"/proc/{entry}/fd/{handle}") in inodes:
                        name = Path(f"/proc/{entry}/comm").read_text().strip()
                        return f"process {entry} ({name})"
    if not inodes and port < 1024:
        return "the system (ports below 1024 need root)"
    return "a program of another user"


def _listening_inodes(port: int) -> set[str]:
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError):
            for line in Path(table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == _LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
                    inodes.add(f"socket:[{fields[9]}]")
    return inodes
