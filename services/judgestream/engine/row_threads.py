"""Rows side by side: on a CPU, every core takes a row of its own.

Splitting each operation over the cores makes them wait for each other some hundred times a row; a row per
core waits once (4 M parameters, two cores: a tenth to a seventh faster, 2026-11-24). A lone row has all
cores, and a GPU has one lane: its queue is what keeps it busy.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import torch

In = TypeVar("In")
Out = TypeVar("Out")


class RowThreadPool:
    """As many as torch has threads here, when this is made. For one thread, whose runs may take turns."""

    def __init__(self, device: torch.device) -> None:
        self._count = torch.get_num_threads() if device.type == "cpu" else 1
        self._pool: ThreadPoolExecutor | None = None
        self._runs = 0

    def run(self, work: Callable[[In], Out], items: Iterable[In]) -> Iterator[Out]:
        """`work` of every item, in their order. No more items are taken than there are lanes, and one that
        waits for the next lane.

        Torch has one thread in each lane, and in the caller's until no run is left that is neither at its
        end nor closed.
        """
        waiting = iter(items)
        first = next(waiting, None)
        second = next(waiting, None) if self._count > 1 else None
        if first is None:
            return
        if second is None:
            yield work(first)
            yield from map(work, waiting)
            return
        if self._pool is None:
            self._pool = ThreadPoolExecutor(
                self._count, "lane", initializer=lambda: torch.set_num_threads(1)
            )
        self._runs += 1
        torch.set_num_threads(1)  # for all threads, where MKL is concerned
        running: deque[Future[Out]] = deque()
        try:
            running.extend(self._pool.submit(work, item) for item in (first, second))
            while running:
                while len(running) <= self._count and (item := next(waiting, None)) is not None:
                    running.append(self._pool.submit(work, item))
                yield running.popleft().result()
        finally:
            for left in running:
                left.cancel()
            self._runs -= 1
            if not self._runs:
                torch.set_num_threads(self._count)
