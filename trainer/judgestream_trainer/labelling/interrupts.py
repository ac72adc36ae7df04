"""SIGINT and SIGTERM as something to look at: the work stops at a good place instead of anywhere."""

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


class Interrupt:
    """`by` is the signal that asked us to stop, None until one has.

    A second signal does not wait for a good place: it raises KeyboardInterrupt where we stand.
    """

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None
        self._wake: Callable[[], object] = lambda: None

    def __call__(self, number: int, frame: FrameType | None = None) -> None:
        if self.signal is not None:
            raise KeyboardInterrupt
        self.signal = signal.Signals(number)
        self._wake()

    async def wait(self) -> None:
        """Until a signal has come."""
        event = asyncio.Event()
        loop = asyncio.get_running_loop()
        self._wake = lambda: loop.call_soon_threadsafe(event.set)
        try:
            if self.signal is None:
                await event.wait()
        finally:
            self._wake = lambda: None


@contextmanager
def catch_signals() -> Iterator[Interrupt]:
    """Signals go to an `Interrupt` inside the block. For the main thread."""
    interrupt = Interrupt()
    before = {
        number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield interrupt
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
