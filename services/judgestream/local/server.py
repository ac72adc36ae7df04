"""The base class of the three servers: a locked folder, one process, start and stop."""

from pathlib import Path
from typing import ClassVar, Self

from judgestream.local.errors import ServerDied
from judgestream.local.lock import FolderLock
from judgestream.local.process import Command, ServerProcess


class LocalServer:
    """A server on this machine. Subclasses implement `_launch`: the command, and when it is ready."""

    name: ClassVar[str]
    log_name: ClassVar[str]
    # The next start waits this long for the keeper of a killed parent to stop its server.
    lock_seconds: ClassVar[float] = 5.0

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self._process: ServerProcess | None = None
        self._lock: FolderLock | None = None

    @property
    def process(self) -> ServerProcess | None:
        """The running server, or None before `start` and after `stop`."""
        return self._process

    @property
    def log_path(self) -> Path:
        """stdout and stderr of this start. The log of the previous start has the suffix `.1`."""
        return self.folder / self.log_name

    @property
    def address(self) -> str:
        """The address for clients."""
        raise NotImplementedError

    def start(self) -> None:
        """Start and wait until ready. Does nothing when it is running.

        Raises:
            ConfigurationError: before anything runs (port taken, folder in use, package missing, ...).
            ServerDied, ServerNotReady: afterwards. Nothing is left running then.
        """
        if self._process is not None:
            return
        self._lock = FolderLock(
            self.folder, purpose=f"{self.name}'s folder", wait_seconds=self.lock_seconds
        )
        try:
            self._launch()
        except BaseException:
            self.stop()
            raise

    def _launch(self) -> None:
        raise NotImplementedError

    def _spawn(self, command: Command) -> ServerProcess:
        """Run the command. Its keeper holds the folder's lock until all of its processes have ended."""
        held = [] if self._lock is None else [self._lock.fd]
        self._process = ServerProcess(command, held_files=held)
        return self._process

    def check(self) -> None:
        """Raise ServerDied with the end of the log when the server is not running."""
        if self._process is None:
            raise ServerDied(f"{self.name} is not started: call start() first.")
        self._process.check()

    def stop(self) -> None:
        """Stop the server and its processes, and release the folder. Does nothing when not running."""
        process, self._process = self._process, None
        lock, self._lock = self._lock, None
        try:
            if process is not None:
                process.stop()
        finally:
            if lock is not None:
                lock.release()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
