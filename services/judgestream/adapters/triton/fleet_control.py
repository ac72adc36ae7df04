"""The control plane of a fleet: the same models on every server."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import TypeVar

from pydantic import SecretStr

from judgestream.adapters.tls.client import PLAINTEXT, ClientTls
from judgestream.adapters.triton.control import LOAD_S, ModelState, TritonControl
from judgestream.adapters.triton.fleet import Drains, no_drains
from judgestream.adapters.triton.resolving import Addresses, Resolve, resolve
from judgestream.adapters.triton.server_memory import free_memory
from judgestream.core.errors import ConfigurationError, JudgestreamError, JudgeUnavailable
from judgestream.core.fleet.memory import FreeMemory, Room, room_for
from judgestream.core.fleet.server_list import ServerEntry, parse_servers

log = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class Everywhere:
    """The outcome of a change on all servers.

    done     addresses of the servers where it was made
    failed   address -> why not
    """

    done: tuple[str, ...] = ()
    failed: Mapping[str, JudgestreamError] = field(default_factory=dict)

    def text(self) -> str:
        """The failures in one line; "" without one."""
        return "; ".join(f"{address}: {error}" for address, error in self.failed.items())


class FleetControl(AbstractAsyncContextManager["FleetControl"]):
    """Load, unload and list models on every server of a list. Use it in `async with`, from one event loop.

    Every method looks up the names in DNS again, so it acts on the servers of that moment.
    """

    def __init__(
        self,
        servers: str | Sequence[ServerEntry],
        key: SecretStr,
        *,
        metrics_port: int = 0,
        drains: Drains = no_drains,
        resolving: Resolve = resolve,
        tls: ClientTls = PLAINTEXT,
    ) -> None:
        """
        Args:
            servers: setting `triton.grpc`, or its entries.
            key: setting `triton.control_key`, the same for all servers.
            metrics_port: setting `triton.metrics_port`.
            drains: `enough` does not count the servers that it names.
        """
        entries = parse_servers(servers) if isinstance(servers, str) else servers
        self._addresses = Addresses(entries, resolving)
        self._key = key
        self._metrics_port = metrics_port
        self._drains = drains
        self._tls = tls
        self._controls: dict[str, TritonControl] = {}

    async def addresses(self) -> tuple[str, ...]:
        """host:port of every server now.

        Raises:
            JudgeUnavailable: there is none, because a name cannot be resolved.
        """
        present = await self._addresses.now()
        if not present:
            problems = "; ".join(self._addresses.problems.values())
            raise JudgeUnavailable(f"there is no Triton to control: {problems}")
        for address in [one for one in self._controls if one not in present]:
            await self._controls.pop(address).close()
        return present

    def at(self, address: str) -> TritonControl:
        """The control of one server. It belongs to this fleet control. Raises as `TritonControl`."""
        if address not in self._controls:
            self._controls[address] = TritonControl(address, self._key, tls=self._tls)
        return self._controls[address]

    async def index(self) -> dict[str, list[ModelState] | JudgestreamError]:
        """Address -> every model of its repository, or why they are unknown.

        Raises:
            JudgeUnavailable: there are no servers.
        """
        return await self._each(lambda control: control.index())

    async def load_everywhere(
        self,
        models: Sequence[str],
        *,
        least: int = 1,
        need: int = 0,
        timeout_s: float = LOAD_S,
    ) -> Everywhere:
        """Load models on every server at the same time, on each in the given order.

        Args:
            models: a release's models in the order in which they are loaded: an engine before its front.
            least: servers on which this must succeed.
            need: bytes of memory that the models need. A server without them loaded and without the room is
                left out; 0 = not checked.
            timeout_s: of each model.

        Raises:
            ConfigurationError: fewer than `least` servers have loaded them, and a server says why it cannot.
            JudgeUnavailable: fewer than `least` servers have loaded them; the others do not answer.
        """

        async def load(control: TritonControl) -> None:
            if need and not await self._has(control, models):
                room = await self.room_at(control.address, need)
                if not room.fits:
                    raise ConfigurationError(room.text)
                if room.text:
                    log.warning("Triton at %s: %s", control.address, room.text)
            for model in models:
                await control.load(model, timeout_s=timeout_s)

        return _at_least(least, await self._each(load), f"load {', '.join(models)}")

    async def unload_everywhere(
        self, models: Sequence[str], *, least: int = 0, timeout_s: float = 60.0
    ) -> Everywhere:
        """Unload models, given in the order in which they are loaded, from every server.

        Args:
            least: servers on which this must succeed. A server that does not answer is usually down, and has
                nothing loaded when it returns.

        Raises:
            As `load_everywhere`.
        """

        async def unload(control: TritonControl) -> None:
            for model in reversed(models):
                await control.unload(model, timeout_s=timeout_s)

        return _at_least(least, await self._each(unload), f"unload {', '.join(models)}")

    async def ready_on(self, release: str) -> tuple[str, ...]:
        """Addresses of the servers on which the release is ready. Servers that do not answer are left out."""
        return tuple(
            address
            for address, models in (await self.index()).items()
            if not isinstance(models, JudgestreamError)
            and any(model.name == release and model.ready for model in models)
        )

    async def enough(self, release: str, least: int) -> bool:
        """Whether at least this many servers have the release ready and do not drain.

        Raises:
            StoreUnavailable: the marks of draining servers are unknown.
        """
        draining = await self._drains()
        return len([one for one in await self.ready_on(release) if one not in draining]) >= least

    async def free_memory(self) -> dict[str, tuple[FreeMemory, ...]]:
        """Address -> its devices; () where this is unknown."""
        addresses = await self.addresses()
        found = await asyncio.gather(*(self._memory(address) for address in addresses))
        return dict(zip(addresses, found, strict=True))

    async def room_at(self, address: str, need: int) -> Room:
        """Whether this many bytes fit on a server."""
        return room_for(need, await self._memory(address))

    async def close(self) -> None:
        for control in self._controls.values():
            await control.close()
        self._controls.clear()

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _has(self, control: TritonControl, models: Sequence[str]) -> bool:
        ready = {model.name for model in await control.index() if model.ready}
        return set(models) <= ready

    async def _memory(self, address: str) -> tuple[FreeMemory, ...]:
        host = address.rpartition(":")[0].strip("[]")
        return await free_memory(host, self._metrics_port)

    async def _each(
        self, act: Callable[[TritonControl], Awaitable[T]]
    ) -> dict[str, T | JudgestreamError]:
        """Address -> result, or its error."""

        async def one(address: str) -> T | JudgestreamError:
            try:
                return await act(self.at(address))
            except JudgestreamError as exc:
                return exc

        addresses = await self.addresses()
        results = await asyncio.gather(*map(one, addresses))
        return dict(zip(addresses, results, strict=True))


def _at_least(
    least: int, results: Mapping[str, JudgestreamError | None], action: str
) -> Everywhere:
    failed = {a: one for a, one in results.items() if isinstance(one, JudgestreamError)}
    outcome = Everywhere(done=tuple(a for a in results if a not in failed), failed=failed)
    if len(outcome.done) >= least:
        return outcome
    if len(results) == len(failed) == 1:
        raise next(iter(failed.values()))
    refused = any(isinstance(error, ConfigurationError) for error in failed.values())
    kind = ConfigurationError if refused or len(results) < least else JudgeUnavailable
    raise kind(
        f"{len(outcome.done)} of {len(results)} Tritons could {action}, and {least} must:"
        f" {outcome.text() or 'there are no more servers; lower the number, or add servers'}"
    )
