"""A bounded queue in front of an exporter: nothing that the exporter does reaches the caller."""

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Generic, TypeVar

log = logging.getLogger(__name__)

T = TypeVar("T")

MOST = 4096
"""Items that wait. Further ones are dropped."""
BATCH = 512
EVERY_S = 1.0
"""Time that items wait for others to travel with."""
COMPLAIN_S = 300.0
"""Lost items are logged at most once in this time; the metric counts them all."""


class ExportQueue(Generic[T]):
    """Exports what `put` is given, in batches, from a thread."""

    def __init__(
        self,
        export: Callable[[Sequence[T]], bool],
        *,
        what: str,
        lost: Callable[[int], None],
        every_s: float = EVERY_S,
    ) -> None:
        """
        Args:
            export: returns whether the batch was delivered. It may take long, and raise.
            what: the items' name in log lines.
            lost: called with the number of items that are lost.
        """
        self._export = export
        self._what = what
        self._lost = lost
        self._every_s = every_s
        self._waiting: deque[T] = deque()
        self._wake = threading.Event()
        self._ending = False
        self._complained = -COMPLAIN_S
        self._thread = threading.Thread(target=self._run, name=f"export {what}", daemon=True)
        self._thread.start()

    def put(self, item: T) -> None:
        """Returns at once. The item is dropped if the queue is full."""
        if self._ending or len(self._waiting) >= MOST:
            self._lost(1)
            return
        self._waiting.append(item)
        if len(self._waiting) >= BATCH:
            self._wake.set()

    def close(self, seconds: float) -> None:
        """Export what waits, for at most this time. The rest is dropped."""
        self._ending = True
        self._wake.set()
        self._thread.join(seconds)
        if left := len(self._waiting):
            self._waiting.clear()
            self._report(left, f"not exported within {seconds:g} s at the end")

    def _run(self) -> None:
        while not self._ending:
            self._wake.wait(self._every_s)
            self._wake.clear()
            self._send()
        self._send()

    def _send(self) -> None:
        """Export everything that waits now."""
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
            try:
                problem = "" if self._export(batch) else "the collector did not take them"
            except Exception as exc:
                problem = f"{type(exc).__name__}: {exc}"
            if problem:
                self._report(len(batch), problem)

    def _report(self, count: int, why: str) -> None:
        self._lost(count)
        if monotonic() - self._complained >= COMPLAIN_S:
            self._complained = monotonic()
            log.warning(
                "%d %s are lost: %s. Is there a collector at telemetry.endpoint?",
                count,
                self._what,
                why,
            )
