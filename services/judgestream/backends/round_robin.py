"""Batches that take turns: the scores of a new one do not wait for the explanations of those before it."""

import threading
from collections import deque
from collections.abc import Callable, Iterator


class RoundRobin:
    """Runs pieces of work step by step, one step of each in turn, in a thread of its own.

    limit    pieces under way at once; `add` waits for a place, so that a queue forms where its limits are
    between  called after every step, in that thread
    failed   called with what a piece raised, which ends that piece alone
    """

    def __init__(
        self,
        *,
        limit: int,
        between: Callable[[], None] = lambda: None,
        failed: Callable[[Exception], None],
    ) -> None:
        self._limit = limit
        self._between = between
        self._failed = failed
        self._work: deque[Iterator[None]] = deque()
        self._under_way = 0
        self._closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="turns", daemon=True)
        self._thread.start()

    def add(self, work: Iterator[None]) -> None:
        """Have the work done; it goes first. Waits while as many are under way as may be.

        Raises:
            RuntimeError: closed.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._under_way < self._limit or self._closed)
            if self._closed:
                raise RuntimeError("no more work is taken")
            self._under_way += 1
            self._work.appendleft(work)
            self._changed.notify_all()

    def close(self, timeout_s: float) -> bool:
        """Take no more work, finish what there is; whether that was done in time."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while (work := self._next()) is not None:
            try:
                next(work)
            except StopIteration:
                self._done()
            except Exception as error:
                self._failed(error)
                self._done()
            else:
                with self._changed:
                    self._work.append(work)
            self._between()

    def _next(self) -> Iterator[None] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._work or self._closed)
            return self._work.popleft() if self._work else None

    def _done(self) -> None:
        with self._changed:
            self._under_way -= 1
            self._changed.notify_all()
