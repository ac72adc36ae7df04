"""SIGINT and SIGTERM as a flag, so that a run stops between prompts and keeps its replies."""

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


class Interrupt:
    """`signal` is the first signal received, None until then. A second one raises KeyboardInterrupt."""

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None
        self._wake: Callable[[], object] = lambda: None

    def __call__(self, number: int, frame: FrameType | None = None) -> None:
        if self.signal is not None:
            raise KeyboardInterrupt
        self.signal = signal.Signals(number)
        self._wake()

    async def wait(self) -> None:
        """Return once a signal has been received."""
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
    """Route the signals to an `Interrupt` inside the block. Main thread only."""
    interrupt = Interrupt()
    before = {
        number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield interrupt
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
