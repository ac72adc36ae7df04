"""Ask the teacher what is missing: many prompts at once, each reply kept at once, with reasons to stop."""

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
"""A prompt that gets no answer is put back so often; each round has the teacher's own tries and deadline."""

MAX_CONSECUTIVE_FAILURES = 16
"""So many prompts in a row without an answer, and the teacher is taken to be down."""

MIN_READABLE_AFTER = 10
"""A teacher of whose first so many answers none is readable is not asked on: it costs, and gives nothing."""

GRACE_S = 20.0
"""How long what is under way may take to arrive when we are asked to stop; it may have been paid for."""


class EndReason(StrEnum):
    """Why the asking ended."""

    DONE = "done"
    BUDGET = "the budget is used up"
    INTERRUPTED = "interrupted"
    NO_RESPONSE = "the teacher does not answer"
    INCOMPLETE = "some prompts got no answer"


@dataclass(kw_only=True, slots=True)
class RunProgress:
    """What a progress bar shows. Tokens and cost are all that this folder has ever spent.

    unread   answers without a score line; last_failure: why a prompt got no answer, the last time
    """

    total: int
    done: int
    input_tokens: int = 0
    output_tokens: int = 0
    cost: float = 0.0
    unread: int = 0
    last_failure: str = ""


@dataclass(kw_only=True, slots=True)
class _Open:
    key: str
    ask: PendingPrompt
    attempts: int = 0


class LabellingRun:
    """One run of asking. `show` is called with the tally at every change.

    todo   keys and asks that the journal has no answer to
    """

    def __init__(
        self,
        teacher: Teacher,
        builder: PromptBuilder,
        todo: Sequence[tuple[str, PendingPrompt]],
        *,
        journal: Journal,
        budget: Budget,
        tally: RunProgress,
        interrupt: Interrupt,
        show: Callable[[RunProgress], None],
    ) -> None:
        self._teacher = teacher
        self._builder = builder
        self._todo = deque(_Open(key=key, ask=ask) for key, ask in todo)
        self._journal = journal
        self._budget = budget
        self._tally = tally
        self._interrupt = interrupt
        self._show = show
        self._grammar = teacher.template.forms["pair"].grammar
        self._ended: EndReason | None = None
        self._under_way = 0
        self._silent = 0
        self._unreadable: list[Entry] = []
        self._trusted = False

    async def run(self, known: Sequence[Entry] = ()) -> EndReason:
        """Ask until everything is answered or there is a reason to stop; what came is in the journal.

        known   answers that the journal has already: they count for the teacher's probation

        Raises:
            ConfigurationError: the teacher refuses every prompt, or none of its first answers is readable.
        """
        try:
            self._trusted = any(is_readable(entry, self._grammar) for entry in known)
            for entry in known:
                self._judge_teacher(entry)
            await self._ask()
        finally:
            await self._teacher.close()
        return self._reason()

    async def _ask(self) -> None:
        workers = [asyncio.create_task(self._work()) for _ in range(self._teacher.concurrency)]
        halted = asyncio.create_task(self._interrupt.wait())
        crowd = asyncio.gather(*workers)
        try:
            await asyncio.wait((crowd, halted), return_when=asyncio.FIRST_COMPLETED)
            if not crowd.done():
                await asyncio.wait((crowd,), timeout=GRACE_S)
            if crowd.done():
                crowd.result()
        finally:
            for task in (*workers, halted):
                task.cancel()
            await asyncio.gather(*workers, halted, crowd, return_exceptions=True)

    def _reason(self) -> EndReason:
        if self._tally.done == self._tally.total:
            return EndReason.DONE
        if self._interrupt.signal is not None:
            return EndReason.INTERRUPTED
        return self._ended or EndReason.INCOMPLETE

    async def _work(self) -> None:
        while self._todo and self._ended is None and self._interrupt.signal is None:
            opened, prompts, held = self._open()
            if not opened:
                # what others have set aside may come back; the last one to find nothing ends the run
                if not self._under_way:
                    self._ended = EndReason.BUDGET
                return
            self._under_way += 1
            try:
                replies = await self._teacher.read(prompts)
            finally:
                self._under_way -= 1
                self._budget.refund(held)
            for one, prompt, reply in zip(opened, prompts, replies, strict=True):
                self._take(one, prompt, reply)

    def _open(self) -> tuple[list[_Open], list[Prompt], float]:
        """The next batch, its prompts, and what is set aside for it; empty when the budget is."""
        opened: list[_Open] = []
        prompts: list[Prompt] = []
        held = 0.0
        while self._todo and len(opened) < self._teacher.batch:
            prompt = self._builder.prompt(self._todo[0].ask)
            amount = self._budget.reserve(prompt)
            if amount is None:
                break
            held += amount
            opened.append(self._todo.popleft())
            prompts.append(prompt)
        return opened, prompts, held

    def _take(self, one: _Open, prompt: Prompt, reply: Reply | JudgestreamError) -> None:
        if isinstance(reply, ConfigurationError):
            raise reply
        if isinstance(reply, Reply):
            tokens = usage(prompt, reply)
            entry = Entry(
                key=one.key,
                text=reply.text,
                finish=reply.finish_reason,
                input_tokens=tokens.input,
                output_tokens=tokens.output,
                estimated=tokens.estimated,
            )
        elif isinstance(reply, PoisonError):
            entry = Entry(key=one.key, refused=reply.code, text=str(reply))
        else:
            self._unanswered(one, prompt, reply)
            return
        self._silent = 0
        self._tally.done += 1
        self._keep(entry)
        self._judge_teacher(entry)

    def _unanswered(self, one: _Open, prompt: Prompt, error: JudgestreamError) -> None:
        """Put it back, a few times; it stays unanswered then."""
        self._tally.last_failure = str(error)
        if isinstance(error, JudgeDeadlineExceeded):  # it was at work, and may send a bill
            bound = upper_bound(prompt)
            self._keep(
                Entry(
                    key=one.key,
                    lost=True,
                    input_tokens=bound.input,
                    output_tokens=bound.output,
                    estimated=True,
                )
            )
        self._silent += 1
        if self._silent >= MAX_CONSECUTIVE_FAILURES and self._interrupt.signal is None:
            self._ended = self._ended or EndReason.NO_RESPONSE
        one.attempts += 1
        if one.attempts < MAX_ATTEMPTS:
            self._todo.append(one)
        self._show(self._tally)

    def _keep(self, entry: Entry) -> None:
        self._journal.append(entry)
        self._budget.spend(entry.input_tokens, entry.output_tokens)
        self._tally.input_tokens += entry.input_tokens
        self._tally.output_tokens += entry.output_tokens
        self._tally.cost = self._budget.spent
        self._show(self._tally)

    def _judge_teacher(self, entry: Entry) -> None:
        """One readable answer, and it is trusted from then on."""
        if is_readable(entry, self._grammar):
            self._trusted = True
            return
        if entry.refused == PromptTooLong.code:  # says nothing of the teacher
            return
        self._tally.unread += 1
        if self._trusted:
            return
        self._unreadable.append(entry)
        if len(self._unreadable) >= MIN_READABLE_AFTER:
            raise ConfigurationError(
                _unreadable_teacher_message(self._unreadable[-1], len(self._unreadable))
            )


def _unreadable_teacher_message(entry: Entry, count: int) -> str:
    said = f"it refused: {entry.text[:200]}" if entry.refused else f"it wrote: {entry.text[:200]!r}"
    return (
        f"none of the teacher's first {count} answers has a line with two scores from 1 to 10; {said}."
        " Check the model and the template (--template), then go on with --ask-again"
    )
