"""One Triton, with the interface of a fleet."""

from collections.abc import Sequence

import psutil

from judgestream.adapters.triton.control import LOAD_S, ModelState, TritonControl
from judgestream.core.errors import ConfigurationError

RESERVE = 0.05
"""Share of the memory that stays free."""


class OneServer:
    """Model control of one server."""

    def __init__(self, control: TritonControl) -> None:
        self._control = control

    async def load_everywhere(
        self, models: Sequence[str], *, least: int = 1, need: int = 0, timeout_s: float = LOAD_S
    ) -> None:
        """Raises ConfigurationError where the memory does not suffice, and as `TritonControl.load`."""
        memory = psutil.virtual_memory()
        free = memory.available - RESERVE * memory.total
        if self._control.address.startswith(("127.", "localhost")) and need > free:
            raise ConfigurationError(
                f"{need >> 20} MiB do not fit: {memory.available >> 20} MiB are free, of which some stay in"
                " reserve"
            )
        for model in models:
            await self._control.load(model, timeout_s=timeout_s)

    async def unload_everywhere(self, models: Sequence[str], *, timeout_s: float = 60.0) -> None:
        """Unload models, given in the order in which they are loaded. Raises as `TritonControl.unload`."""
        for model in reversed(models):
            await self._control.unload(model, timeout_s=timeout_s)

    async def ready_on(self, release: str) -> tuple[str, ...]:
        """Addresses of the servers on which the release is ready."""
        models: list[ModelState] = await self._control.index()
        ready = any(model.name == release and model.ready for model in models)
        return (self._control.address,) if ready else ()

    async def enough(self, release: str, least: int) -> bool:
        return len(await self.ready_on(release)) >= least
