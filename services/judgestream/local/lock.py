"""One user of a folder at a time, by flock(2): the kernel lets go when the last holder ends."""

import fcntl
import os
import time
from pathlib import Path
from types import TracebackType

from judgestream.local.errors import FolderInUse


class FolderLock:
    """Holds `<folder>/.lock`. Its `fd` may be given to a child, which then holds the lock too."""

    def __init__(self, folder: Path, *, purpose: str, wait_seconds: float = 0.0) -> None:
        """Take the lock, making the folder if need be. Raises FolderInUse after `wait_seconds`."""
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / ".lock"
        self.fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        deadline = time.monotonic() + wait_seconds
        while True:
            try:
                fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() < deadline:
                    time.sleep(0.05)
                    continue
                holder = os.pread(self.fd, 100, 0).decode(errors="replace").strip() or "unknown"
                os.close(self.fd)
                self.fd = -1
                raise FolderInUse(
                    f"{folder} is in use as {purpose} by process {holder}."
                    " Stop that one first, or choose another folder."
                ) from None
        os.ftruncate(self.fd, 0)
        os.pwrite(self.fd, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Let go. The file stays: removing it would let two processes lock two different files."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def __enter__(self) -> "FolderLock":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()
