"""The releases that a worker has opened: connections that stay while they are wanted or used."""

import asyncio
import logging
from collections.abc import Callable, Collection, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from time import monotonic

from judgestream.apps.judging.judges import Open
from judgestream.apps.judging.one_release import RequestsJudge
from judgestream.core.backoff import Backoff
from judgestream.core.errors import InternalError, JudgestreamError

log = logging.getLogger(__name__)

LOOKS = Backoff(first_s=0.25, longest_s=5.0)
"""Pauses between two attempts to open a release."""

LINGER_S = 10.0
"""A release that is not wanted is closed after this time without use: redelivered records may need it."""


@dataclass(kw_only=True, slots=True)
class _Opened:
    judge: RequestsJudge
    stack: AsyncExitStack
    users: int = 0
    used_at: float = 0.0


class OpenedReleases:
    """Opens releases in the background, each with retries, and closes those that are not needed any more."""

    def __init__(
        self,
        open: Open,
        *,
        failed: Callable[[str, JudgestreamError], None],
        opened: Callable[[str], None],
        closed: Callable[[str], None],
    ) -> None:
        """
        Args:
            failed: called with the name of a wanted release whenever it cannot be opened.
            opened, closed: called with its name when it is.
        """
        self._open = open
        self._failed, self._was_opened, self._was_closed = failed, opened, closed
        self._judges: dict[str, _Opened] = {}
        self._failures: dict[str, JudgestreamError] = {}
        self._opening: dict[str, asyncio.Task[None]] = {}

    def get(self, release: str) -> RequestsJudge | None:
        """The judge; None while it is not open."""
        found = self._judges.get(release)
        return None if found is None else found.judge

    def failure(self, release: str) -> JudgestreamError | None:
        """Why the latest attempt to open it failed."""
        return self._failures.get(release)

    async def want(self, releases: Collection[str], *, within_s: float = 0.0) -> None:
        """Open these releases. Waits at most `within_s`, and continues in the background."""
        for name in releases:
            if name not in self._judges and name not in self._opening:
                self._opening[name] = asyncio.create_task(
                    self._keep_opening(name), name=f"open {name}"
                )
        tasks = [self._opening[name] for name in releases if name in self._opening]
        if tasks and within_s:
            await asyncio.wait(tasks, timeout=within_s)

    @contextmanager
    def in_use(self, release: str) -> Iterator[RequestsJudge]:
        """An open release is not closed during the block."""
        found = self._judges[release]
        found.users += 1
        try:
            yield found.judge
        finally:
            found.users -= 1
            found.used_at = monotonic()

    async def close_others(self, wanted: Collection[str]) -> None:
        """Close what is neither wanted nor used, and stop opening what is not wanted."""
        now = monotonic()
        for name in [name for name in self._opening if name not in wanted]:
            self._opening.pop(name).cancel()
            self._forget(name)
        for name, one in list(self._judges.items()):
            if name not in wanted and not one.users and now - one.used_at > LINGER_S:
                await self._close(name)

    async def close(self) -> None:
        for task in self._opening.values():
            task.cancel()
        await asyncio.gather(*self._opening.values(), return_exceptions=True)
        for name in list(self._judges):
            await self._close(name)

    async def _close(self, name: str) -> None:
        one = self._judges.pop(name)
        one.judge.end()
        self._was_closed(name)
        log.info("release %s is closed: it has left the route", name)
        try:
            await one.stack.aclose()
        except Exception:
            log.exception("the connection to release %s could not be closed", name)

    def _forget(self, name: str) -> None:
        if self._failures.pop(name, None) is not None:
            self._was_closed(name)

    async def _keep_opening(self, name: str) -> None:
        for look in count(1):
            stack = AsyncExitStack()
            try:
                judge = await stack.enter_async_context(self._open(name))
            except JudgestreamError as exc:
                error = exc
            except Exception as exc:
                log.exception("release %s could not be opened", name)
                error = InternalError(f"{type(exc).__name__}: {exc}")
            else:
                self._judges[name] = _Opened(judge=judge, stack=stack, used_at=monotonic())
                self._failures.pop(name, None)
                self._opening.pop(name, None)
                self._was_opened(name)
                log.info("release %s is open", name)
                return
            self._failures[name] = error
            self._failed(name, error)
            await asyncio.sleep(LOOKS(look))
