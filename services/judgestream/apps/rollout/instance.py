"""The id of one start of the service: where it listens, and which process it is."""

import os
import socket
from dataclasses import dataclass
from typing import Self
from uuid import uuid4

from judgestream.apps.worker.status import pid_space

SEPARATOR = "|"
ANY_ADDRESS = ("0.0.0.0", "[::]")  # noqa: S104 - compared, not listened on  # nosec B104


@dataclass(frozen=True, kw_only=True, slots=True)
class Instance:
    """Who holds a lease or has written a record.

    address     host:port that it listens on
    pid_space   PID namespace of `pid`; 0 if unknown
    start       unique to this start
    """

    address: str
    host: str
    pid_space: int
    pid: int
    start: str

    @classmethod
    def here(cls, address: str) -> Self:
        return cls(
            address=address,
            host=socket.gethostname(),
            pid_space=pid_space(),
            pid=os.getpid(),
            start=uuid4().hex[:12],
        )

    @classmethod
    def parsed(cls, text: str) -> Self | None:
        """None for a text that no instance has written."""
        parts = text.split(SEPARATOR)
        if len(parts) != 5 or not (parts[2].isdecimal() and parts[3].isdecimal()):
            return None
        address, host, space, pid, start = parts
        return cls(
            address=address, host=host, pid_space=int(space[:19]), pid=int(pid[:9]), start=start
        )

    @property
    def text(self) -> str:
        return SEPARATOR.join(
            (self.address, self.host, str(self.pid_space), str(self.pid), self.start)
        )

    def knows_dead(self, other: str) -> bool:
        """Whether the other instance ran on this machine and has ended. False where this is unknown."""
        known = Instance.parsed(other)
        if known is None or not known.pid_space or known.pid < 1:
            return False
        if (known.host, known.pid_space) != (self.host, self.pid_space):
            return False
        if known.pid == self.pid:
            return known.start != self.start
        try:
            os.kill(known.pid, 0)
        except ProcessLookupError:
            return True
        except OSError:
            return False
        return False


def address_of(text: str) -> str:
    """The address to call an instance at, or the text itself. One that listens everywhere is called by its
    machine's name."""
    known = Instance.parsed(text)
    if known is None:
        return text
    host, _, port = known.address.rpartition(":")
    return f"{known.host}:{port}" if host in ANY_ADDRESS else known.address
