"""A judge's counters, and the stopwatch that feeds them."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

Item = TypeVar("Item")


@dataclass(kw_only=True, slots=True)
class Work:
    """What a judge has done since it was created. Counters that only grow.

    prompts        judged
    prompt_tokens  of these prompts, before packing
    run_tokens     of the rows, where common prefixes run once and score branches are added
    rows           forwards; a row's fill is run_tokens / (rows * row_tokens)
    written        tokens decoded one by one: explanations, and score lines outside the grammar
    seconds        spent computing
    """

    prompts: int = 0
    prompt_tokens: int = 0
    run_tokens: int = 0
    rows: int = 0
    written: int = 0
    seconds: float = 0.0


class Stopwatch:
    """Seconds spent computing for some prompts; they are added to the judge's work, too.

    Generators pause in their consumer, whose time is excluded: only what runs inside `running` or `timed`
    is counted.
    """

    def __init__(self, work: Work) -> None:
        self.seconds = 0.0
        self._work = work

    @contextmanager
    def running(self) -> Iterator[None]:
        """Count the time of the block."""
        started = time.perf_counter()
        try:
            yield
        finally:
            passed = time.perf_counter() - started
            self.seconds += passed
            self._work.seconds += passed

    def timed(self, items: Iterator[Item]) -> Iterator[Item]:
        """The items; the time until each of them is counted."""
        end = object()
        while True:
            with self.running():
                item = next(items, end)
            if item is end:
                return
            yield item  # type: ignore[misc]
