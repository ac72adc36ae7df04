"""The one place where the state changes: a move is checked against the newest state, and published."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, TypeVar

from judgestream.apps.rollout.log import RolloutLog
from judgestream.apps.worker import metrics
from judgestream.core.limits import DETAIL, ID, REASON, cut
from judgestream.core.rollout.moves import IllegalMove, Move, apply
from judgestream.core.rollout.state import Action, Evidence, Rollout
from judgestream.telemetry.handled import Handled, handle
from judgestream.telemetry.spans import Kind, begin

log = logging.getLogger(__name__)


T = TypeVar("T")


class Desk:
    """Makes moves one at a time. Only the leader's desk is open.

    A move that has begun is finished even if its caller is cancelled: a write that may or may not be stored
    would end the term.
    """

    def __init__(self, journal: RolloutLog) -> None:
        self._journal = journal
        self._lock = asyncio.Lock()
        self._leaving: set[str] = set()

    @property
    def state(self) -> Rollout:
        return self._journal.state

    async def move(self, move: Move, *, next_checkpoint: int | None = None) -> Rollout:
        """Make a move. Returns the state after it, once the topic has it.

        Args:
            next_checkpoint: stored with the move, see `Rollout`.

        Raises:
            IllegalMove: it is refused; nothing changes.
            TermEnded: this instance does not lead, or the broker did not confirm the move.
        """
        return await self.moved(lambda _: move, next_checkpoint=next_checkpoint)

    async def moved(
        self, wish: Callable[[Rollout], Move], *, next_checkpoint: int | None = None
    ) -> Rollout:
        """As `move`, with a move that depends on the newest state. What `wish` raises is raised."""
        return await _finished(self._moved(wish, next_checkpoint))

    async def _moved(self, wish: Callable[[Rollout], Move], next_checkpoint: int | None) -> Rollout:
        async with self._lock:
            before = self._journal.state
            wanted = wish(before)
            self._refuse_leaving(before, wanted)
            move = replace(
                wanted, by=cut(wanted.by.strip(), ID), why=cut(wanted.why.strip(), REASON)
            )
            after = apply(before, move)
            if next_checkpoint is not None:
                after = replace(after, next_checkpoint=next_checkpoint)
            with begin(f"rollout {move.action}", Kind.INTERNAL, drawn=False) as span:
                span.put(
                    {
                        "judgestream.release": move.release,
                        "judgestream.rollout.by": move.by,
                        "judgestream.rollout.revision": after.revision,
                    }
                )
                handle(Handled(release=move.release, trace_id=span.trace_id, span_id=span.span_id))
                await self._journal.append(after)
            metrics.rollout_moves.labels(move.action.value).inc()
            placed = after.releases[move.release]
            log.info(
                "%s %s: %s, %s, by %s: %s",
                move.action,
                move.release,
                placed.stage,
                placed.step,
                move.by,
                move.why or "no reason given",
            )
            return self._journal.state

    @contextmanager
    def leaving(self, release: str) -> Iterator[None]:
        """While the body runs, no move can send requests to this release: it is being unloaded."""
        self._leaving.add(release)
        try:
            yield
        finally:
            self._leaving.discard(release)

    def _refuse_leaving(self, state: Rollout, move: Move) -> None:
        into = move.release
        if move.action is Action.ROLL_BACK and move.release == state.stable and state.previous:
            into = state.previous[0]
        if into in self._leaving and move.action is not Action.PREPARE:
            raise IllegalMove(
                f"cannot {move.action} {move.release}: {into} is being unloaded. Try again in a few seconds"
            )

    async def considered(self, next_checkpoint: int) -> None:
        """Store that the checkpoints before this offset need no automatic move. Raises TermEnded."""
        await _finished(
            self._replaced(
                lambda state: (
                    state
                    if state.next_checkpoint == next_checkpoint
                    else replace(state, next_checkpoint=next_checkpoint)
                )
            )
        )

    async def measured(self, release: str, evidence: Evidence) -> None:
        """Publish the evidence about a release, unless it is unknown by now. Raises TermEnded."""
        shortened = replace(evidence, sentence=cut(evidence.sentence, DETAIL))

        def measured(state: Rollout) -> Rollout:
            placed = state.releases.get(release)
            if placed is None:
                return state
            releases = {**state.releases, release: replace(placed, evidence=shortened)}
            return replace(state, releases=releases)

        await _finished(self._replaced(measured))

    async def _replaced(self, change: Callable[[Rollout], Rollout]) -> None:
        """Publish a change that is not a move."""
        async with self._lock:
            before = self._journal.state
            after = change(before)
            if after is not before:
                await self._journal.append(after)


async def _finished(work: Coroutine[Any, Any, T]) -> T:
    """The result. The work goes through to its end even if the caller is cancelled."""
    task = asyncio.create_task(work)
    task.add_done_callback(_seen)
    return await asyncio.shield(task)


def _seen(task: "asyncio.Task[Any]") -> None:
    if not task.cancelled():
        task.exception()  # a caller that was cancelled does not look at it
