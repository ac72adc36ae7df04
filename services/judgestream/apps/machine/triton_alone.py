"""One Triton in the foreground, for a container or another supervisor."""

import signal
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import FrameType

from judgestream.local.triton import TritonServer, answers_http
from judgestream.process_health import Check, Health

CHECK_S = 0.5
ASK_S = 5.0
SILENT_S = 30.0
"""A Triton that does not answer for longer hangs. It also answers while its models compute."""


def run_triton(
    server: TritonServer,
    ready: Callable[[], None],
    write: Callable[[str], object],
    health: Health,
    renewed: Callable[[], str] = str,
) -> None:
    """Start the server, pass its log on to `write`, and stop it at SIGTERM or SIGINT.

    Returns only by SystemExit(0) after one of these signals.

    Args:
        ready: called once the server and its models are ready.
        health: gets the check of the server.
        renewed: says that the server should be restarted, with the reason; "" usually.

    Raises:
        ConfigurationError: before anything runs (port taken, package missing, ...).
        LocalServerError: the server did not become ready, or has ended. The message has the end of its log.
    """

    def stop(number: int, frame: FrameType | None) -> None:
        """Unwind, also out of a start that takes minutes. A second signal must not interrupt the stop."""
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, signal.SIG_IGN)
        health.drain()
        raise SystemExit(0)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    log = _Log(server.log_path, write)
    with server:
        watched = Watched(partial(answers, server.http_url))
        health.live_while(watched.check)
        watched.start()
        health.started()
        ready()
        while True:
            log.pass_on()
            if text := renewed():
                write(text)
            server.check()
            time.sleep(CHECK_S)


class Watched:
    """Asks a Triton every `ASK_S` seconds whether it is live, in another thread."""

    def __init__(
        self, live: Callable[[], bool], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._live, self._clock = live, clock
        self._answered_at = clock()

    def start(self) -> None:
        threading.Thread(target=self._run, name="triton check", daemon=True).start()

    def ask(self) -> None:
        if self._live():
            self._answered_at = self._clock()

    def check(self) -> Check:
        silent = self._clock() - self._answered_at
        if silent <= SILENT_S:
            return Check(name="triton", ok=True, detail="answers")
        return Check(name="triton", ok=False, detail=f"no answer for {silent:.0f} s")

    def _run(self) -> None:
        while True:
            self.ask()
            time.sleep(ASK_S)


def answers(address: str) -> bool:
    """Whether the Triton at host:port says by HTTP that it is live. That says nothing about its releases."""
    return answers_http(address, ("/v2/health/live",), seconds=ASK_S)


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
