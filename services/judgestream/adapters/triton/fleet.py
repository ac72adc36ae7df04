"""The Triton servers of one process: found, checked in the background, and shared by all releases.

`FleetJudge` asks one release over a fleet. A server is up, down or draining (see `core.fleet.report`).
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from itertools import count
from time import monotonic
from typing import Protocol

from judgestream.adapters.tls.client import PLAINTEXT, ClientTls
from judgestream.adapters.triton.resolving import Addresses, Resolve, resolve
from judgestream.adapters.triton.server import Server
from judgestream.core.errors import JudgestreamError
from judgestream.core.fleet.report import ServerReport
from judgestream.core.fleet.server_list import ServerEntry

log = logging.getLogger(__name__)

CHECK_S = 1.0
"""Between two health checks of a server."""

DRAINS_S = 0.5
"""Between two looks for marks of draining servers."""

RESOLVE_INTERVAL_S = 5.0
"""Between two look-ups of the names in DNS."""

Drains = Callable[[], Awaitable[frozenset[str]]]
"""Returns the addresses of the servers to drain. Raises JudgestreamError if they are unknown now."""


async def no_drains() -> frozenset[str]:
    """No server is ever drained."""
    return frozenset()


class Checked(Protocol):
    """A release over the fleet, which is checked together with each server."""

    async def check(self, server: Server, *, is_back: bool) -> None:
        """Check the release at a server that answers. Raises nothing."""

    def problem_at(self, server: Server) -> str:
        """Why the server does not answer for the release, as "code: text"; "" if it does."""

    @property
    def name(self) -> str: ...


class Fleet(AbstractAsyncContextManager["Fleet"]):
    """Use it in `async with`: the background checks run as long as the body.

    servers     by address. Also those that get no new calls but still have some in flight
    judges      the releases that are open
    """

    def __init__(
        self,
        entries: Sequence[ServerEntry],
        *,
        drains: Drains = no_drains,
        resolving: Resolve = resolve,
        clock: Callable[[], float] = monotonic,
        tls: ClientTls = PLAINTEXT,
    ) -> None:
        self.servers: dict[str, Server] = {}
        self.judges: list[Checked] = []
        self.clock = clock
        self.text = ", ".join(map(str, entries))
        self._addresses = Addresses(entries, resolving)
        self._drains = drains
        self._tls = tls
        self._marked: frozenset[str] = frozenset()
        self._choices = count(1)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._complained: dict[str, str] = {}

    @property
    def problems(self) -> str:
        """Names that cannot be resolved, with the reason; or ""."""
        return "; ".join(self._addresses.problems.values())

    def chosen(self, server: Server) -> None:
        """Note that a server has got a call."""
        server.chosen = next(self._choices)

    def reports(self) -> tuple[ServerReport, ...]:
        """The state of every server, for any thread."""
        judges = list(self.judges)
        return tuple(
            ServerReport(
                address=server.address,
                state=server.state,
                reason=server.reason,
                in_flight=server.in_flight,
                releases={judge.name: judge.problem_at(server) for judge in judges},
            )
            for server in list(self.servers.values())
        )

    def calls(self) -> Mapping[str, Mapping[str, int]]:
        """Finished calls by server and outcome, for any thread."""
        return {server.address: dict(server.calls) for server in list(self.servers.values())}

    async def find(self) -> None:
        """Resolve the names, connect to new servers, and disconnect idle ones that are gone.

        Raises:
            ConfigurationError: a file of the client's TLS is missing or wrong.
        """
        present = await self._addresses.now()
        self._complain("names", self.problems)
        for address in present:
            if address not in self.servers:
                server = self.servers[address] = Server(address, self.clock, tls=self._tls)
                server.draining = address in self._marked
                self._start(address, self._watch(server))
        for address, server in list(self.servers.items()):
            server.gone = address not in present
            if server.gone and not server.in_flight:
                del self.servers[address]
                await self._stop(address)
                await server.close()

    async def look_for_drains(self) -> None:
        """Read the marks. If they are unknown, the former ones stay."""
        try:
            marked = await self._drains()
        except JudgestreamError as exc:
            self._complain("drains", f"marks of draining servers are unknown: {exc}")
            return
        self._complain("drains", "")
        self._marked = marked
        for server in self.servers.values():
            if server.draining != (server.address in marked):
                server.draining = server.address in marked
                log.warning(
                    "Triton at %s %s",
                    server.address,
                    "drains" if server.draining else "is in use again",
                )

    async def check(self, server: Server) -> None:
        """Check a server, and every release there."""
        before = server.live
        is_back = await server.check()
        if before != server.live:
            log.warning(
                "Triton at %s is %s",
                server.address,
                "back" if is_back else f"down: {server.reason}",
            )
        if server.live and not server.missed:
            for judge in list(self.judges):
                await judge.check(server, is_back=is_back)

    async def close(self) -> None:
        for name in list(self._tasks):
            await self._stop(name)
        for server in self.servers.values():
            await server.close()

    async def __aenter__(self) -> "Fleet":
        try:
            await self.find()
            await self.look_for_drains()
            self._start("drains", self._every(DRAINS_S, self.look_for_drains))
            if not self._addresses.fixed:
                self._start("names", self._every(RESOLVE_INTERVAL_S, self.find))
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def _start(self, name: str, work: Awaitable[None]) -> None:
        self._tasks[name] = asyncio.ensure_future(work)

    async def _stop(self, name: str) -> None:
        task = self._tasks.pop(name)
        while not task.done():
            # again, where a library has taken a cancellation for its own
            task.cancel()
            await asyncio.wait([task], timeout=1.0)

    async def _every(self, seconds: float, act: Callable[[], Awaitable[None]]) -> None:
        while True:
            await asyncio.sleep(seconds)
            await self._shielded(act())

    async def _watch(self, server: Server) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(
                    CHECK_S
                ):  # Python 3.11's wait_for may lose a cancellation
                    await server.check_now.wait()
            server.check_now.clear()
            await self._shielded(self.check(server))

    async def _shielded(self, act: Awaitable[None]) -> None:
        """A defect in a check must not end the checks."""
        try:
            await act
        except JudgestreamError as exc:
            self._complain("checks", str(exc))
        except Exception:
            log.exception("unexpected error while checking the Triton servers")

    def _complain(self, topic: str, text: str) -> None:
        """Log a problem when it is new."""
        if text and self._complained.get(topic) != text:
            log.warning("%s", text)
        self._complained[topic] = text
