"""One user of a folder at a time, by flock(2): the kernel frees the lock when its last holder ends."""

import os
import time
from pathlib import Path

from filelock import lock_descriptor

from judgestream.local.errors import FolderInUse

_POLL_SECONDS = 0.05


class FolderLock:
    """Holds `<folder>/.lock`. A child that inherits `fd` holds the lock too.

    `filelock.FileLock` keeps its descriptor to itself and unlocks it explicitly, which would take the lock
    from such a child: so the descriptor is ours, and closing it is the release.
    """

    def __init__(self, folder: Path, *, purpose: str, wait_seconds: float = 0.0) -> None:
        """Take the lock, creating the folder if it is missing. Raises FolderInUse after `wait_seconds`."""
        folder.mkdir(parents=True, exist_ok=True)
        self.fd = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        deadline = time.monotonic() + wait_seconds
        while not lock_descriptor(self.fd, blocking=False):
            if time.monotonic() >= deadline:
                holder = os.pread(self.fd, 100, 0).decode(errors="replace").strip() or "unknown"
                self.release()
                raise FolderInUse(
                    f"{folder} is in use as {purpose} by process {holder}."
                    " Stop that one first, or choose another folder."
                )
            time.sleep(_POLL_SECONDS)
        os.ftruncate(self.fd, 0)
        os.pwrite(self.fd, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Release the lock. The file stays: without it two processes could lock two different files."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def __enter__(self) -> "FolderLock":
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
