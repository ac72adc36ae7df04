"""One Triton in the foreground, for a container or another supervisor."""

import signal
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from judgestream.local.triton import TritonServer

CHECK_S = 0.5


def run_triton(
    server: TritonServer,
    ready: Callable[[], None],
    write: Callable[[str], object],
    renewed: Callable[[], str] = str,
) -> None:
    """Start the server, pass its log on to `write`, and stop it at SIGTERM or SIGINT.

    Returns only by SystemExit(0) after one of these signals.

    Args:
        ready: called once the server and its models are ready.
        renewed: says that the server should be restarted, with the reason; "" usually.

    Raises:
        ConfigurationError: before anything runs (port taken, package missing, ...).
        LocalServerError: the server did not become ready, or has ended. The message has the end of its log.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _exit)
    log = _Log(server.log_path, write)
    with server:
        ready()
        while True:
            log.pass_on()
            if text := renewed():
                write(text)
            server.check()
            time.sleep(CHECK_S)


def _exit(number: int, frame: FrameType | None) -> None:
    """Unwind, also out of a start that takes minutes. A second signal must not interrupt the stop."""
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, signal.SIG_IGN)
    raise SystemExit(0)


class _Log:
    """The lines of a growing file, each passed on once."""

    def __init__(self, path: Path, write: Callable[[str], object]) -> None:
        self._path, self._write, self._position = path, write, 0

    def pass_on(self) -> None:
        with self._path.open("rb") as file:
            file.seek(self._position)
            while line := file.readline():
                if not line.endswith(b"\n"):
                    break
                self._position += len(line)
                self._write(line.decode("utf-8", errors="replace"))
