"""Moves that the service makes by itself: it stages published checkpoints, puts them into shadow, and adopts
the release that the settings name."""

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from judgestream.apps.rollout.checkpoints import Announced, CheckpointFeed
from judgestream.apps.rollout.desk import Desk
from judgestream.apps.rollout.preparing import BY
from judgestream.core.masking import masked
from judgestream.core.rollout.moves import IllegalMove, Move
from judgestream.core.rollout.state import Action, Placed, Rollout, Stage, Step

log = logging.getLogger(__name__)

TRAINER = "trainer"
"""Who stages published checkpoints."""

SETTINGS = "settings"
"""Who asks for the release of the setting `triton.release`."""

SHADOW_SHARE = 1.0
"""Of the requests, where no share is given: the more, the sooner the gate decides."""

MOST_STAGED = 50
"""Releases that are staged at the same time. More published checkpoints have to wait."""

OUT_OF_USE = (Stage.RETIRED, Stage.FAILED)


class Automatic:
    """Call `check` about every second while this instance leads.

    auto_stage   setting `rollout.auto_stage`
    wanted       setting `triton.release`; "" where it names none
    problems     release -> why an automatic move waits
    """

    def __init__(
        self,
        desk: Desk,
        feed: CheckpointFeed,
        *,
        auto_stage: bool,
        wanted: str,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._desk = desk
        self._feed = feed
        self._auto_stage = auto_stage
        self._wanted = wanted
        self._now = now
        self._asked = False
        self._full = False
        self.problems: dict[str, str] = {}

    def first_state(self, state: Rollout) -> Rollout:
        """The state at the start of a term. Of a new rollout, and of a topic of checkpoints that was created
        again, only checkpoints from now on are staged automatically."""
        end = self._feed.end
        if state.revision == 0 and not state.next_checkpoint:
            return _considered(state, end)
        if state.next_checkpoint > end:
            log.warning("the topic of checkpoints was created again: only new ones are staged")
            return _considered(state, end)
        return state

    async def check(self) -> None:
        """Make the moves that are due. Raises TermEnded."""
        await self._stage_published()
        if self._auto_stage:
            await self._shadow_ready()
        await self._adopt()

    async def _stage_published(self) -> None:
        end = self._feed.end
        state = self._desk.state
        for one in self._feed.after(state.next_checkpoint) if self._auto_stage else ():
            if one.release in self._desk.state.releases:
                continue
            if len(self._desk.state.at(Stage.STAGED)) >= MOST_STAGED:
                if not self._full:
                    log.warning("%s waits: %d releases are staged", one.release, MOST_STAGED)
                self._full = True
                return
            self._full = False
            await self._desk.move(self._staged(one), next_checkpoint=one.offset + 1)
        if self._desk.state.next_checkpoint < end:
            await self._desk.considered(end)

    def _staged(self, one: Announced) -> Move:
        return Move(
            action=Action.STAGE,
            release=one.release,
            at=self._now(),
            by=TRAINER,
            why=f"published as {one.message.name or one.release} at {masked(one.message.location)}",
            location=one.message.location,
            checkpoint_digest=one.message.digest,
        )

    async def _shadow_ready(self) -> None:
        ready = [
            one
            for one in self._desk.state.at(Stage.STAGED)
            if one.by == TRAINER and one.step is Step.READY
        ]
        self.problems = {}
        for one in ready:
            try:
                await self._desk.move(
                    Move(
                        action=Action.SHADOW,
                        release=one.release,
                        at=self._now(),
                        by=BY,
                        why="it is ready (rollout.auto_stage)",
                        share=SHADOW_SHARE,
                    )
                )
            except IllegalMove as exc:
                self.problems[one.release] = str(exc)

    async def _adopt(self) -> None:
        """Make the release of the settings stable, once for each release that they name."""
        wanted, state = self._wanted, self._desk.state
        if not wanted or state.adopted == wanted:
            return
        placed = state.releases.get(wanted)
        if placed is None or placed.stage in OUT_OF_USE:
            if self._asked:
                return  # it was staged and failed: its error says why
            self._asked = True
            await self._adopting(Action.STAGE)
        elif placed.stage is Stage.STABLE:
            await self._adopting(Action.PREPARE, placed)
        elif placed.step is Step.READY:
            await self._adopting(Action.PROMOTE)

    async def _adopting(self, action: Action, placed: Placed | None = None) -> None:
        await self._desk.move(
            Move(
                action=action,
                release=self._wanted,
                at=self._now(),
                by=SETTINGS,
                why="triton.release names it",
                step=Step.ANNOUNCED if placed is None else placed.step,
                adopted=action is not Action.STAGE,
            )
        )


def _considered(state: Rollout, offset: int) -> Rollout:
    return replace(state, next_checkpoint=offset)
