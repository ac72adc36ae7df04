"""A thread pool for packed rows: on a CPU, every core runs its own row.

If each operation is split over the cores, they wait for each other some hundred times per row; with one row
per core they wait once (4 M parameters, two cores: a tenth to a seventh faster, docs/design/engine.md). A
single row gets all cores. A GPU gets one thread, since its queue keeps it busy.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import torch

In = TypeVar("In")
Out = TypeVar("Out")


class RowThreadPool:
    """As many threads as torch uses when this is created. Not thread-safe; runs may interleave."""

    def __init__(self, device: torch.device) -> None:
        self._count = torch.get_num_threads() if device.type == "cpu" else 1
        self._pool: ThreadPoolExecutor | None = None
        self._runs = 0

    def run(self, work: Callable[[In], Out], items: Iterable[In]) -> Iterator[Out]:
        """`work` of every item, in order. At most one item more than there are threads is taken ahead.

        While any run is neither at its end nor closed, torch uses one thread per operation, in the pool's
        threads and in the caller's.
        """
        remaining = iter(items)
        first = next(remaining, None)
        second = next(remaining, None) if self._count > 1 else None
        if first is None:
            return
        if second is None:
            yield work(first)
            yield from map(work, remaining)
            return
        if self._pool is None:
            self._pool = ThreadPoolExecutor(
                self._count, "row", initializer=lambda: torch.set_num_threads(1)
            )
        self._runs += 1
        torch.set_num_threads(1)  # MKL has one number for all threads
        running: deque[Future[Out]] = deque()
        try:
            running.extend(self._pool.submit(work, item) for item in (first, second))
            while running:
                while len(running) <= self._count and (item := next(remaining, None)) is not None:
                    running.append(self._pool.submit(work, item))
                yield running.popleft().result()
        finally:
            for future in running:
                future.cancel()
            self._runs -= 1
            if not self._runs:
                torch.set_num_threads(self._count)
