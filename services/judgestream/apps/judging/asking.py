"""Asking the judge for one request until it answers, refuses, or the request is given up.

What fails has one of three classes (see `core.errors`). Where it is not certain whether a failure is this
request's or everybody's, the known good prompt decides: a request becomes a dead letter only while that is
answered.

- `PoisonError`: raised, for it is this request's only. Of several in a row, without an answer between them,
  each needs the known good prompt answered first.
- `ReleaseError`: the request waits at the gate, without growing older.
- `RetryableError`: again after a pause, until the request is older than `judging.max_age_s` and the known
  good prompt is answered.
- `JudgeError` and `JudgeUnhealthy`, where the model fails with some requests inside: each of them is asked
  again alone, one at a time, so that it can be told which one it is. Twice alone, and the known good prompt
  answered: `JudgeFailed`.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import monotonic
from typing import Protocol

from judgestream.apps.judging.release_health import ReleaseHealth
from judgestream.apps.worker import metrics
from judgestream.apps.worker.status import WorkerStatus
from judgestream.core.errors import (
    JudgeBroken,
    JudgeError,
    JudgeFailed,
    JudgestreamError,
    JudgeUnhealthy,
    PoisonError,
    PromptTooLong,
    ReleaseError,
    RetryableError,
    TooOld,
)
from judgestream.core.passes import Pass
from judgestream.core.probe import known_good
from judgestream.core.templates import template
from judgestream.core.types import Release, Reply
from judgestream.settings import Judging

Pause = Callable[[float], Awaitable[None]]

FAILED_ALONE = 2
"""Failures of the model on a request asked alone, after which the failure is the request's."""

REFUSED_IN_A_ROW = 3
"""Refusals without an answer between them, after which the known good prompt is asked before the next."""


class Judge(Protocol):
    release: Release

    async def ask(self, passes: Sequence[Pass]) -> list[Reply]: ...


@dataclass(kw_only=True, slots=True)
class Tries:
    """How often a request was tried, since when, and since when without success.

    held_s        seconds spent at the gate of a paused release: they do not age the request
    suspect       the model failed while this request was with it
    failed_alone  how often it failed on this request with no other suspect there
    breakdowns    how often the model had failed on everything by then, see `ReleaseHealth`
    """

    started: float = field(default_factory=monotonic)
    first_failed_at: datetime | None = None
    attempts: int = 0
    held_s: float = 0.0
    suspect: bool = False
    failed_alone: int = 0
    breakdowns: int = 0


class Backoff:
    """Seconds before the next try: exponential with jitter, so that waiting requests spread."""

    def __init__(self, settings: Judging) -> None:
        self._settings = settings
        self._jitter = random.Random()  # noqa: S311 - spreads retries, keeps no secret

    def __call__(self, attempt: int) -> float:
        doubled = self._settings.backoff_s * 2.0 ** min(attempt - 1, 30)
        return min(self._settings.max_backoff_s, doubled) * (0.5 + 0.5 * self._jitter.random())


class Asking:
    """The judge of one worker, with the patience that the settings state."""

    def __init__(self, judge: Judge, settings: Judging, status: WorkerStatus | None = None) -> None:
        self._judge = judge
        self._settings = settings
        self._backoff = Backoff(settings)
        self._known_good = known_good(template(judge.release.template_id))
        status = status or WorkerStatus(kind="judging", slot=0)
        self.health = ReleaseHealth(status, self._probe)
        self._alone = asyncio.Lock()
        self._refused = 0

    async def ask(self, passes: Sequence[Pass], tries: Tries, pause: Pause) -> list[Reply]:
        """One reply per pass.

        Raises:
            PoisonError: the judge will never take one of these prompts, or the request is given up.
        """
        error: JudgestreamError
        while True:
            tries.held_s += await self.health.enter(pause)
            if tries.breakdowns != self.health.breakdowns:
                tries.failed_alone = (
                    0  # the model failed on everything: that says nothing about this
                )
            if tries.failed_alone >= FAILED_ALONE:
                if not await self.health.prove():
                    await pause(self._backoff(tries.attempts))
                    continue
                raise JudgeFailed(
                    f"the judge failed on this request {tries.attempts} times, {FAILED_ALONE} of them"
                    " with no other, and answers a known good prompt; see Triton's log"
                )
            async with self._turn(tries):
                if self.health.paused:
                    continue
                tries.attempts += 1
                asked_at = self.health.clock()
                try:
                    replies = await self._judge.ask(passes)
                except PoisonError as exc:
                    if await self._stands(exc):
                        raise
                    error = JudgeError(f"not sure whether it refuses everything: {exc}")
                except (ReleaseError, RetryableError) as exc:
                    error = exc
                else:
                    self._refused = 0
                    self.health.answered(asked_at)
                    metrics.judge_seconds.observe(self.health.clock() - asked_at)
                    metrics.passes.inc(len(replies))
                    return replies
            await self._failed(error, tries, pause)

    def _turn(self, tries: Tries) -> AbstractAsyncContextManager[object]:
        return self._alone if tries.suspect else nullcontext()

    async def _failed(self, error: JudgestreamError, tries: Tries, pause: Pause) -> None:
        """Tell, and wait before the next try.

        Raises:
            TooOld: there shall be none.
        """
        self.health.failed(error)
        tries.first_failed_at = tries.first_failed_at or datetime.now(UTC)
        if isinstance(error, JudgeError | JudgeUnhealthy):
            tries.failed_alone += tries.suspect
            tries.breakdowns = self.health.breakdowns
            tries.suspect = True
        if isinstance(error, ReleaseError):
            return
        age = monotonic() - tries.started - tries.held_s
        if age >= self._settings.max_age_s and await self.health.prove():
            raise TooOld(
                f"no judgement after {age:.0f} s and {tries.attempts} tries, while a known good prompt is"
                f" answered; the last one: {error.code}: {error}"
            ) from error
        await pause(self._backoff(tries.attempts))

    async def _stands(self, error: PoisonError) -> bool:
        """Whether a refusal is this request's: not where the judge refuses everything."""
        if isinstance(error, PromptTooLong):
            return True
        self._refused += 1
        if self._refused > REFUSED_IN_A_ROW:
            if not await self.health.prove():
                return False
            self._refused = 0
        return True

    async def _probe(self) -> None:
        try:
            await self._judge.ask(self._known_good)
        except (PoisonError, JudgeError) as exc:
            raise JudgeBroken(f"the judge fails on a known good prompt: {exc.code}: {exc}") from exc
