"""Ports on 127.0.0.1: free ones, and the program that holds a wanted one."""

import random
import socket

import psutil

from judgestream.local.errors import PortTaken
from judgestream.local.identity import program_name

HOST = "127.0.0.1"
_LOWEST, _HIGHEST = 20_000, 32_000
_given: set[int] = set()


def is_free(port: int) -> bool:
    """Whether a server could listen on this port of 127.0.0.1 now."""
    with socket.socket() as probe:
        # As servers do: they can bind a port in TIME_WAIT, but not one with a listener.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def accepts(port: int, *, seconds: float = 1.0) -> bool:
    """Whether something on this port of 127.0.0.1 accepts connections."""
    try:
        socket.create_connection((HOST, port), timeout=seconds).close()
    except OSError:
        return False
    return True


def free_port() -> int:
    """A port that is free now and that this process has not returned before.

    It lies below the kernel's range for outgoing connections (from 32768), so that no client's connection
    takes it between this call and the server's start. Raises PortTaken when 200 random ports are all taken.
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
    """Raise PortTaken if a program listens on `port`. `setting` is the name of the setting to change."""
    if not 1 <= port <= 65_535:
        raise PortTaken(f"invalid port {setting}={port} for {purpose}: use a port from 1 to 65535.")
    if is_free(port):
        return
    raise PortTaken(
        f"Port {port} on {HOST}, wanted for {purpose}, is taken by {_holder(port)}."
        f" Stop that program, or change {setting}."
    )


def _holder(port: int) -> str:
    """The program that listens there. Processes of other users cannot be seen without root."""
    connections = [
        connection
        for connection in psutil.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN and connection.laddr[1:] == (port,)
    ]
    for connection in connections:
        if connection.pid is not None:
            return f"process {connection.pid} ({program_name(connection.pid)})"
    if not connections and port < 1024:
        return "the system (ports below 1024 need root)"
    return "a program of another user"
