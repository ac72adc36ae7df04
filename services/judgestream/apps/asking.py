"""Asking the judge for one request until it answers, refuses, or the request is too old."""

import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import monotonic
from typing import Protocol

from judgestream.apps import metrics
from judgestream.core.errors import RetryableError, TooOld
from judgestream.core.modes import Pass
from judgestream.core.types import Release, Reply
from judgestream.settings import Judging

Pause = Callable[[float], Awaitable[None]]


class Judge(Protocol):
    release: Release

    async def ask(self, passes: Sequence[Pass]) -> list[Reply]: ...


@dataclass(kw_only=True, slots=True)
class Tries:
    """How often a request was tried, since when, and since when without success."""

    started: float = field(default_factory=monotonic)
    first_failed_at: datetime | None = None
    attempts: int = 0


class Backoff:
    """Seconds before the next try: exponential with jitter, so that waiting requests spread."""

    def __init__(self, settings: Judging) -> None:
        self._settings = settings
        self._jitter = random.Random()  # noqa: S311 - spreads retries, keeps no secret

    def __call__(self, attempt: int) -> float:
        doubled = self._settings.backoff_s * 2.0 ** min(attempt - 1, 30)
        return min(self._settings.max_backoff_s, doubled) * (0.5 + 0.5 * self._jitter.random())


class Asking:
    """The judge, with the patience that the settings state."""

    def __init__(self, judge: Judge, settings: Judging) -> None:
        self._judge = judge
        self._settings = settings
        self._backoff = Backoff(settings)

    async def ask(self, passes: Sequence[Pass], tries: Tries, pause: Pause) -> list[Reply]:
        """One reply per pass.

        Raises:
            PoisonError: the judge will never take one of these prompts, or the request is too old.
        """
        while True:
            tries.attempts += 1
            asked = monotonic()
            try:
                replies = await self._judge.ask(passes)
            except RetryableError as exc:
                metrics.retries.labels(exc.code).inc()
                tries.first_failed_at = tries.first_failed_at or datetime.now(UTC)
                age = monotonic() - tries.started
                if age >= self._settings.max_age_s:
                    raise TooOld(
                        f"no judgement after {age:.0f} s and {tries.attempts} tries;"
                        f" the last one: {exc.code}: {exc}"
                    ) from exc
                await pause(self._backoff(tries.attempts))
                continue
            metrics.judge_seconds.observe(monotonic() - asked)
            metrics.passes.inc(len(replies))
            return replies
