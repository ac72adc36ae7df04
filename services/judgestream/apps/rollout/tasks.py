"""One background task per release, with back-off after failures and its progress in words."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from time import monotonic

from judgestream.core.backoff import Backoff
from judgestream.core.errors import JudgestreamError

log = logging.getLogger(__name__)

PAUSES = Backoff(first_s=1.0, longest_s=60.0)

Say = Callable[[str], None]
"""Tells what a task does now, in words."""

Work = Callable[[Say], Awaitable[str]]
"""Returns what it waits for, in words; "" when it is done."""


@dataclass(slots=True)
class _Work:
    step: str
    task: asyncio.Task[None] | None = None
    failures: int = 0
    retry_at: float = 0.0
    progress: str = ""


class Tasks:
    """Runs at most one task per release. `close` cancels all of them.

    A task that raises JudgestreamError is started again after a pause, which grows with every failure of the
    same step. What a task should not be started again for, it must handle itself.
    """

    def __init__(
        self, changed: Callable[[], None], *, clock: Callable[[], float] = monotonic
    ) -> None:
        """`changed` is called after every change of a progress."""
        self._changed = changed
        self._clock = clock
        self._works: dict[str, _Work] = {}

    @property
    def progress(self) -> dict[str, str]:
        """Release -> what is being done with it, or why that is tried again."""
        return {name: work.progress for name, work in self._works.items() if work.progress}

    def failures(self, release: str) -> int:
        """Failures in a row of the release's present step."""
        return self._works[release].failures if release in self._works else 0

    def run(self, release: str, step: str, work: Work) -> None:
        """Start the step of a release, unless a task of the release runs or waits for its next try."""
        held = self._works.get(release)
        if held is None or (held.step != step and held.task is None):
            held = self._works[release] = _Work(step)
        if held.task is None and self._clock() >= held.retry_at:
            held.task = asyncio.create_task(self._tried(release, held, work))

    def forget(self, keep: set[str]) -> None:
        """Cancel the tasks of all other releases."""
        for name in [name for name in self._works if name not in keep]:
            work = self._works.pop(name)
            if work.task is not None:
                work.task.cancel()
            self._changed()

    async def close(self) -> None:
        tasks = [work.task for work in self._works.values() if work.task is not None]
        self._works.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._changed()

    async def _tried(self, release: str, held: _Work, work: Work) -> None:
        def say(text: str) -> None:
            if held.progress != text:
                held.progress = text
                self._changed()

        try:
            waits_for = await work(say)
            held.failures = 0
            say(waits_for)
        except JudgestreamError as exc:
            self._failed(release, held, f"{exc.code}: {exc}", say)
        except Exception as exc:
            log.exception("unexpected error with release %s", release)
            self._failed(release, held, f"{type(exc).__name__}: {exc}", say)
        finally:
            held.task = None

    def _failed(self, release: str, held: _Work, why: str, say: Say) -> None:
        held.failures += 1
        pause = PAUSES(held.failures)
        held.retry_at = self._clock() + pause
        log.warning("release %s: %s; next try in %.0f s", release, why, pause)
        say(f"{held.step}: {why}; try {held.failures} failed, the next one is in {pause:.0f} s")
