"""A labelling run: concurrent prompts to the teacher, every reply journalled, and the reasons to stop."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from judgestream.core.errors import (
    ConfigurationError,
    JudgeDeadlineExceeded,
    JudgestreamError,
    PoisonError,
    PromptTooLong,
)
from judgestream.core.prompt import Prompt
from judgestream.core.types import Reply
from judgestream_trainer.labelling.budget import Budget, upper_bound, usage
from judgestream_trainer.labelling.interrupts import Interrupt
from judgestream_trainer.labelling.journal import Entry, Journal
from judgestream_trainer.labelling.prompts import PendingPrompt, PromptBuilder
from judgestream_trainer.labelling.teacher import Teacher
from judgestream_trainer.labelling.usable import is_readable

MAX_ATTEMPTS = 3
"""Attempts per prompt that gets no reply. Each attempt has the teacher's own retries and deadline."""

MAX_CONSECUTIVE_FAILURES = 16
"""Consecutive prompts without a reply after which the teacher is considered down."""

MIN_READABLE_AFTER = 10
"""The run fails if none of this many first replies is readable: the rest would cost money for nothing."""

GRACE_S = 20.0
"""Seconds to wait, after an interrupt, for replies that may already have been charged."""


class EndReason(StrEnum):
    """Why a run ended. The values are shown to the user."""

    DONE = "done"
    BUDGET = "the budget is exhausted"
    INTERRUPTED = "interrupted"
    NO_RESPONSE = "the teacher does not respond"
    INCOMPLETE = "some prompts got no reply"


@dataclass(kw_only=True, slots=True)
class RunProgress:
    """The state of a run for display. Tokens and cost include all earlier runs in this directory.

    unread        replies without a score line
    last_failure  the latest error of a prompt without a reply
    """

    total: int
    done: int
    input_tokens: int = 0
    output_tokens: int = 0
    cost: float = 0.0
    unread: int = 0
    last_failure: str = ""


@dataclass(kw_only=True, slots=True)
class _Queued:
    key: str
    pending: PendingPrompt
    attempts: int = 0


class LabellingRun:
    """One run over the prompts without a reply. `show` is called with the progress at every change.

    todo   journal keys and prompts to send
    """

    def __init__(
        self,
        teacher: Teacher,
        builder: PromptBuilder,
        todo: Sequence[tuple[str, PendingPrompt]],
        *,
        journal: Journal,
        budget: Budget,
        progress: RunProgress,
        interrupt: Interrupt,
        show: Callable[[RunProgress], None],
    ) -> None:
        self._teacher = teacher
        self._builder = builder
        self._todo = deque(_Queued(key=key, pending=pending) for key, pending in todo)
        self._journal = journal
        self._budget = budget
        self._progress = progress
        self._interrupt = interrupt
        self._show = show
        self._grammar = teacher.template.forms["pair"].grammar
        self._ended: EndReason | None = None
        self._in_flight = 0
        self._consecutive_failures = 0
        self._unreadable: list[Entry] = []
        self._trusted = False

    async def run(self, known: Sequence[Entry] = ()) -> EndReason:
        """Send prompts until all have a reply or there is a reason to stop. Replies are in the journal.

        known   earlier replies from the journal; they count towards `MIN_READABLE_AFTER`

        Raises:
            ConfigurationError: the teacher refuses every prompt, or none of its first replies is readable.
        """
        try:
            self._trusted = any(is_readable(entry, self._grammar) for entry in known)
            for entry in known:
                self._check_readable(entry)
            await self._send_all()
        finally:
            await self._teacher.close()
        return self._reason()

    async def _send_all(self) -> None:
        workers = [asyncio.create_task(self._work()) for _ in range(self._teacher.concurrency)]
        interrupted = asyncio.create_task(self._interrupt.wait())
        all_workers = asyncio.gather(*workers)
        try:
            await asyncio.wait((all_workers, interrupted), return_when=asyncio.FIRST_COMPLETED)
            if not all_workers.done():
                await asyncio.wait((all_workers,), timeout=GRACE_S)
            if all_workers.done():
                all_workers.result()
        finally:
            for task in (*workers, interrupted):
                task.cancel()
            await asyncio.gather(*workers, interrupted, all_workers, return_exceptions=True)

    def _reason(self) -> EndReason:
        if self._progress.done == self._progress.total:
            return EndReason.DONE
        if self._interrupt.signal is not None:
            return EndReason.INTERRUPTED
        return self._ended or EndReason.INCOMPLETE

    async def _work(self) -> None:
        while self._todo and self._ended is None and self._interrupt.signal is None:
            batch, prompts, reserved = self._next_batch()
            if not batch:
                # other workers may still refund; the last one without an affordable prompt ends the run
                if not self._in_flight:
                    self._ended = EndReason.BUDGET
                return
            self._in_flight += 1
            try:
                replies = await self._teacher.read(prompts)
            finally:
                self._in_flight -= 1
                self._budget.refund(reserved)
            for queued, prompt, reply in zip(batch, prompts, replies, strict=True):
                self._take(queued, prompt, reply)

    def _next_batch(self) -> tuple[list[_Queued], list[Prompt], float]:
        """The next batch, its prompts, and the amount reserved for it; empty if none is affordable."""
        batch: list[_Queued] = []
        prompts: list[Prompt] = []
        reserved = 0.0
        while self._todo and len(batch) < self._teacher.batch:
            prompt = self._builder.prompt(self._todo[0].pending)
            amount = self._budget.reserve(prompt)
            if amount is None:
                break
            reserved += amount
            batch.append(self._todo.popleft())
            prompts.append(prompt)
        return batch, prompts, reserved

    def _take(self, queued: _Queued, prompt: Prompt, reply: Reply | JudgestreamError) -> None:
        if isinstance(reply, ConfigurationError):
            raise reply
        if isinstance(reply, Reply):
            tokens = usage(prompt, reply)
            entry = Entry(
                key=queued.key,
                text=reply.text,
                finish=reply.finish_reason,
                input_tokens=tokens.input,
                output_tokens=tokens.output,
                estimated=tokens.estimated,
            )
        elif isinstance(reply, PoisonError):
            entry = Entry(key=queued.key, refused=reply.code, text=str(reply))
        else:
            self._retry(queued, prompt, reply)
            return
        self._consecutive_failures = 0
        self._progress.done += 1
        self._keep(entry)
        self._check_readable(entry)

    def _retry(self, queued: _Queued, prompt: Prompt, error: JudgestreamError) -> None:
        """Queue the prompt again, up to `MAX_ATTEMPTS`; after that it stays without a reply."""
        self._progress.last_failure = str(error)
        if isinstance(error, JudgeDeadlineExceeded):  # the teacher may charge for its work
            bound = upper_bound(prompt)
            self._keep(
                Entry(
                    key=queued.key,
                    lost=True,
                    input_tokens=bound.input,
                    output_tokens=bound.output,
                    estimated=True,
                )
            )
        self._consecutive_failures += 1
        if (
            self._consecutive_failures >= MAX_CONSECUTIVE_FAILURES
            and self._interrupt.signal is None
        ):
            self._ended = self._ended or EndReason.NO_RESPONSE
        queued.attempts += 1
        if queued.attempts < MAX_ATTEMPTS:
            self._todo.append(queued)
        self._show(self._progress)

    def _keep(self, entry: Entry) -> None:
        self._journal.append(entry)
        self._budget.spend(entry.input_tokens, entry.output_tokens)
        self._progress.input_tokens += entry.input_tokens
        self._progress.output_tokens += entry.output_tokens
        self._progress.cost = self._budget.spent
        self._show(self._progress)

    def _check_readable(self, entry: Entry) -> None:
        """Fail if the teacher's first replies are all unreadable. One readable reply settles it."""
        if is_readable(entry, self._grammar):
            self._trusted = True
            return
        if entry.refused == PromptTooLong.code:  # not the teacher's fault
            return
        self._progress.unread += 1
        if self._trusted:
            return
        self._unreadable.append(entry)
        if len(self._unreadable) >= MIN_READABLE_AFTER:
            raise ConfigurationError(
                _unreadable_teacher_message(self._unreadable[-1], len(self._unreadable))
            )


def _unreadable_teacher_message(entry: Entry, count: int) -> str:
    kind = "refusal" if entry.refused else "reply"
    return (
        f"none of the teacher's first {count} replies has a line with two scores from 1 to 10. The last"
        f" {kind} was: {entry.text[:200]!r}. Check the model and the template (--template), then continue"
        " with --ask-again"
    )
