"""The present addresses of a list of servers: names in DNS are resolved, other entries are addresses."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence

from judgestream.core.fleet.server_list import ServerEntry, join_address

Resolve = Callable[[ServerEntry], Awaitable[Sequence[str]]]

RESOLVE_S = 5.0
"""Time limit of one look-up."""


async def resolve(entry: ServerEntry) -> Sequence[str]:
    """host:port for each A and AAAA record of a name, sorted. An entry without DNS is its own address.

    Raises:
        OSError: the name cannot be resolved now.
    """
    if not entry.dns:
        return (entry.address,)
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(RESOLVE_S):
        found = await loop.getaddrinfo(entry.host, entry.port, type=socket.SOCK_STREAM)
    return sorted({join_address(str(sockaddr[0]), entry.port) for *_, sockaddr in found})


class Addresses:
    """The addresses of all entries. A name that cannot be resolved keeps those that it had."""

    def __init__(self, entries: Sequence[ServerEntry], resolving: Resolve = resolve) -> None:
        self.entries = tuple(entries)
        self.problems: dict[ServerEntry, str] = {}
        """Names that could not be resolved at the latest look-up, with the reason."""
        self._resolve = resolving
        self._last: dict[ServerEntry, Sequence[str]] = {}

    @property
    def fixed(self) -> bool:
        """Whether the addresses never change."""
        return not any(entry.dns for entry in self.entries)

    async def now(self) -> tuple[str, ...]:
        """Every address once, in the order of the entries."""
        await asyncio.gather(*(self._look_up(entry) for entry in self.entries))
        return tuple(
            dict.fromkeys(one for entry in self.entries for one in self._last.get(entry, ()))
        )

    async def _look_up(self, entry: ServerEntry) -> None:
        try:
            self._last[entry] = await self._resolve(entry)
            self.problems.pop(entry, None)
        except OSError as exc:  # also a time-out
            self.problems[entry] = f"{entry.host} cannot be resolved: {exc or 'no answer in time'}"
