"""One request at the judge: asked until the judge answers, refuses it, or the request is given up.

A failure has one of three classes (see `core.errors`). Where it is uncertain whether a failure concerns only
this request, the known good prompt decides: a request is dead-lettered only while that prompt is answered.

- `PoisonError`: raised, because it concerns only this request. After several in a row without an answer, the
  known good prompt must be answered first.
- `ReleaseError`: the request waits at the closed gate of `ReleaseHealth`. This does not count as age.
- `RetryableError`: asked again after a back-off, until the request is older than `judging.max_age_s` and the
  known good prompt is answered. A missed deadline also shrinks the `Window` of calls in flight.
- `JudgeError` and `JudgeUnhealthy`: the model failed with several requests in flight. Each of them is asked
  again alone, one at a time, to find the culprit. After two failures alone, and an answer to the known good
  prompt, the request is given up with `JudgeFailed`.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import monotonic
from typing import Protocol

from judgestream.apps.judging.release_health import HealthStatus, ReleaseHealth
from judgestream.apps.judging.window import Window
from judgestream.apps.worker import metrics
from judgestream.apps.worker.status import WorkerStatus
from judgestream.core.backoff import Backoff
from judgestream.core.errors import (
    JudgeBroken,
    JudgeDeadlineExceeded,
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
from judgestream.core.types import Release, Reply
from judgestream.core.verdicts import Effort
from judgestream.settings import Judging
from judgestream.telemetry.spans import current
from judgestream.template_files import template_of

Pause = Callable[[float], Awaitable[None]]

MAX_FAILURES_ALONE = 2
"""After this many failures of the model on a request asked alone, the request is the cause."""

MAX_REFUSALS_IN_A_ROW = 3
"""After this many refusals without an answer between them, the known good prompt is asked before the next."""


class Judge(Protocol):
    release: Release

    async def ask(self, passes: Sequence[Pass]) -> list[Reply]: ...


@dataclass(kw_only=True, slots=True)
class Tries:
    """The tries of one request so far.

    started       `monotonic` time of the first try
    held_s        seconds spent at the gate of a paused release; they do not count as age
    suspect       the model failed while this request was in flight
    failed_alone  failures of the model on this request while no other suspect was in flight
    breakdowns    `ReleaseHealth.breakdowns` at the last failure
    answered      the latest call was answered
    """

    started: float = field(default_factory=monotonic)
    first_failed_at: datetime | None = None
    attempts: int = 0
    held_s: float = 0.0
    suspect: bool = False
    failed_alone: int = 0
    breakdowns: int = 0
    answered: bool = False

    def next_call(self) -> None:
        """A request of many passes continues with its next call, which belongs to the same try."""
        self.attempts -= 1
        self.answered = False

    def start_again(self) -> None:
        """The request is given to another release: what the former one did does not count against it."""
        self.held_s = monotonic() - self.started
        self.attempts = self.failed_alone = self.breakdowns = 0
        self.suspect = self.answered = False

    def effort(self) -> Effort:
        """The cost of the tries, if they end now."""
        return Effort(
            attempts=max(self.attempts, 1),
            latency_s=monotonic() - self.started,
            ended_at=datetime.now(UTC),
        )


def backoff_of(settings: Judging) -> Backoff:
    """The back-off that the settings state, with jitter."""
    return Backoff(
        first_s=settings.backoff_s,
        longest_s=settings.max_backoff_s,
        draw=random.Random().random,  # noqa: S311 - spreads retries, keeps no secret
    )


class Asking:
    """Asks the judge of one worker, with retries as the settings state."""

    def __init__(self, judge: Judge, settings: Judging, status: HealthStatus | None = None) -> None:
        self._judge = judge
        self._settings = settings
        self._backoff = backoff_of(settings)
        self._known_good = known_good(template_of(judge.release))
        status = status or WorkerStatus(kind="judging", slot=0)
        self.health = ReleaseHealth(status, self._probe)
        self.window = Window(
            most=settings.inflight, deadline_s=settings.deadline_s, clock=self.health.clock
        )
        self._alone = asyncio.Lock()
        self._refused = 0

    async def ask(self, passes: Sequence[Pass], tries: Tries, pause: Pause) -> list[Reply]:
        """One reply per pass.

        Raises:
            PoisonError: the judge will never accept one of these prompts, or the request is given up.
        """
        error: JudgestreamError
        while True:
            tries.held_s += await self.health.enter(pause)
            if tries.breakdowns != self.health.breakdowns:
                # the model failed on everything, which is not evidence against this request
                tries.failed_alone = 0
            if tries.failed_alone >= MAX_FAILURES_ALONE:
                if not await self.health.prove():
                    await pause(self._backoff(tries.attempts))
                    continue
                raise JudgeFailed(
                    f"the judge failed on this request {tries.attempts} times, {MAX_FAILURES_ALONE} of them"
                    " while it was asked alone, and it answers a known good prompt: see Triton's log"
                )
            async with self.window.place(pause) as waited, self._turn(tries):
                tries.held_s += waited
                if self.health.paused:
                    continue
                tries.attempts += 1
                asked_at = self.health.clock()
                try:
                    replies = await self._judge.ask(passes)
                except PoisonError as exc:
                    if await self._concerns_only_this(exc):
                        raise
                    error = JudgeError(f"the judge may refuse every request: {exc}")
                except JudgeDeadlineExceeded as exc:
                    error = exc
                    self.window.missed(asked_at)
                except (ReleaseError, RetryableError) as exc:
                    error = exc
                else:
                    self._refused = 0
                    self.window.answered(self.health.clock() - asked_at)
                    self.health.answered(asked_at)
                    metrics.judge_seconds.observe(self.health.clock() - asked_at)
                    metrics.passes.inc(len(replies))
                    return replies
            await self._failed(error, tries, pause)

    def _turn(self, tries: Tries) -> AbstractAsyncContextManager[object]:
        return self._alone if tries.suspect else nullcontext()

    async def _failed(self, error: JudgestreamError, tries: Tries, pause: Pause) -> None:
        """Report the failure, and wait before the next try.

        Raises:
            TooOld: the request is given up.
        """
        self.health.failed(error)
        current().event("retry", {"error.type": error.code, "judgestream.attempt": tries.attempts})
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
                f" answered; last failure: {error.code}: {error}"
            ) from error
        await pause(self._backoff(tries.attempts))

    async def _concerns_only_this(self, error: PoisonError) -> bool:
        """Whether a refusal concerns only this request, and the judge does not refuse everything."""
        if isinstance(error, PromptTooLong):
            return True
        self._refused += 1
        if self._refused > MAX_REFUSALS_IN_A_ROW:
            if not await self.health.prove():
                return False
            self._refused = 0
        return True

    async def _probe(self) -> None:
        try:
            await self._judge.ask(self._known_good)
        except (PoisonError, JudgeError) as exc:
            raise JudgeBroken(f"the judge fails on a known good prompt: {exc.code}: {exc}") from exc
