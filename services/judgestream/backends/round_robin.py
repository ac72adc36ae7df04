"""Batches run in turns, so that the scores of a new one do not wait for the explanations of earlier ones."""

import threading
from collections import deque
from collections.abc import Callable, Iterator


class RoundRobin:
    """Runs tasks step by step, one step of each in turn, in its own thread.

    limit    tasks in progress at once; `add` blocks beyond that, so that a queue forms in Triton, which has
             the limits and the timeouts
    between  called after every step, in that thread
    failed   called with the exception of a task, which ends that task alone
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
        self._tasks: deque[Iterator[None]] = deque()
        self._in_progress = 0
        self._closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="round-robin", daemon=True)
        self._thread.start()

    def add(self, task: Iterator[None]) -> None:
        """Add a task; its first step is next. Blocks while `limit` tasks are in progress.

        Raises:
            RuntimeError: closed.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._in_progress < self._limit or self._closed)
            if self._closed:
                raise RuntimeError("closed: no more tasks are accepted")
            self._in_progress += 1
            self._tasks.appendleft(task)
            self._changed.notify_all()

    def close(self, timeout_s: float) -> bool:
        """Accept no more tasks and finish the present ones. Returns whether that was done in time."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while (task := self._next()) is not None:
            try:
                next(task)
            except StopIteration:
                self._done()
            except Exception as error:
                self._failed(error)
                self._done()
            else:
                with self._changed:
                    self._tasks.append(task)
            self._between()

    def _next(self) -> Iterator[None] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._tasks or self._closed)
            return self._tasks.popleft() if self._tasks else None

    def _done(self) -> None:
        with self._changed:
            self._in_progress -= 1
            self._changed.notify_all()
