"""The configuration of Valkey, and the check of its reply."""

import socket
import threading
from pathlib import Path

import pytest

from judgestream.local.errors import DataUnusable
from judgestream.local.ports import HOST
from judgestream.local.valkey import answers, configuration


def test_it_listens_here_only_and_keeps_an_append_only_file_without_snapshots() -> None:
    lines = configuration(port=1001, folder=Path("/d/a b")).splitlines()
    assert {"bind 127.0.0.1", "port 1001", 'dir "/d/a b"', 'save ""'} <= set(lines)
    assert {"appendonly yes", "appendfsync everysec", "daemonize no"} <= set(lines)


def test_a_path_that_the_format_cannot_hold_is_refused() -> None:
    with pytest.raises(DataUnusable, match="without quotes"):
        configuration(port=1, folder=Path('/d/"x"'))


def test_no_client_can_load_code_and_the_password_is_asked_for() -> None:
    lines = configuration(port=1, folder=Path("/d"), password="0a1b").splitlines()
    assert {"protected-mode yes", "requirepass 0a1b"} <= set(lines)
    for name in ("debug-command", "module-command", "protected-configs"):
        assert f"enable-{name} no" in lines
    assert not any("requirepass" in line for line in configuration(port=1, folder=Path("/d")))


@pytest.mark.parametrize("password", ["a b", "a\nmaxmemory 1", 'a"', "a#"])
def test_a_password_that_would_change_the_file_is_refused(password: str) -> None:
    with pytest.raises(DataUnusable, match="letters and digits"):
        configuration(port=1, folder=Path("/d"), password=password)


@pytest.mark.parametrize(
    ("reply", "ready"),
    [
        (b"+PONG\r\n", True),
        (b"-NOAUTH Authentication required.\r\n", True),
        (b"-LOADING dataset in memory\r\n", False),
        (b"HTTP/1.1 400 Bad Request\r\n", False),
        (b"", False),
    ],
)
def test_only_a_server_that_takes_commands_counts_as_ready(reply: bytes, ready: bool) -> None:
    with socket.create_server((HOST, 0)) as server:

        def once() -> None:
            link, _ = server.accept()
            with link:
                link.recv(64)
                link.sendall(reply)

        thread = threading.Thread(target=once)
        thread.start()
        assert answers(HOST, server.getsockname()[1]) is ready
        thread.join()
