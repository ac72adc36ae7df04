"""A jury as the judge of requests: every member judges by itself, and their verdicts become one.

A cascade asks the next members only if the first is unsure (see `core.cascade`).

A member that is asked and is down holds the request back, as any release does: the others' verdicts are kept
until it answers. A member that refuses the request does not vote (see `core.jury`).
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from judgestream.apps.judging.asking import Pause, Tries
from judgestream.apps.judging.one_release import OneRelease, Plans, Task, internal
from judgestream.core.cascade import is_sure, turns
from judgestream.core.errors import ConfigurationError, PoisonError, UnsupportedMode
from judgestream.core.jury import JuryRecord
from judgestream.core.jury_settling import Outcome
from judgestream.core.jury_verdict import jury_verdict
from judgestream.core.modes import Mode
from judgestream.core.passes import Pass
from judgestream.core.types import Release, Request, Verdict


class Jury:
    """The members in the order of the record."""

    def __init__(self, release: Release, record: JuryRecord, members: Sequence[OneRelease]) -> None:
        self.release = release
        self._record = record
        self._members = tuple(zip(record.members, members, strict=True))
        digests = {member.release.name: member.release.checkpoint_digest for member in members}
        if record.digest(digests) != release.checkpoint_digest:
            raise ConfigurationError(
                f"jury {release.name} was made of other members than Triton has loaded under their names:"
                " make it again with `judgestream release jury`"
            )

    @property
    def paused(self) -> bool:
        """Whether a member is: requests that ask it wait for it."""
        return any(member.paused for _, member in self._members)

    def end(self) -> None:
        for _, member in self._members:
            member.end()

    def plans(self, request: Request, mode: Mode) -> Plans:
        """The passes of every member. Raises UnsupportedMode: a member's template lacks the mode."""
        return tuple(self._plan(member, request, mode) for _, member in self._members)

    def _plan(self, member: OneRelease, request: Request, mode: Mode) -> tuple[Pass, ...]:
        try:
            (passes,) = member.plans(request, mode)
        except UnsupportedMode as exc:
            raise UnsupportedMode(f"member {member.release.name}: {exc}") from exc
        return passes

    async def judged(self, task: Task, tries: Tries, pause: Pause) -> Verdict:
        """The jury's verdict.

        Raises:
            PoisonError: every member that is asked refuses the request.
        """
        outcomes: list[Outcome] = []
        for turn in turns(self._record):
            outcomes += await self._asked(turn, task, tries, pause)
            if is_sure(self._record, outcomes[-1].result):
                break
        try:
            return jury_verdict(
                request=task.request,
                mode=task.mode,
                release=self.release,
                record=self._record,
                outcomes=outcomes,
                effort=tries.effort(),
                verdict_id=task.verdict_id,
                content_digest=task.content_digest,
            )
        except PoisonError:
            raise
        except Exception as exc:
            raise internal(exc) from exc

    async def _asked(
        self, turn: Sequence[int], task: Task, tries: Tries, pause: Pause
    ) -> list[Outcome]:
        """The outcomes of these members, asked at once. Each has its own tries; `tries` gets the most."""
        own = [Tries(started=tries.started) for _ in turn]
        found = await asyncio.gather(
            *(
                self._outcome(k, replace(task, plans=(task.plans[k],)), mine, pause)
                for k, mine in zip(turn, own, strict=True)
            ),
            return_exceptions=True,
        )
        tries.attempts = max(tries.attempts, *(mine.attempts for mine in own))
        failures = [one.first_failed_at for one in (tries, *own) if one.first_failed_at is not None]
        tries.first_failed_at = min(failures, default=None)
        outcomes = []
        for one in found:
            if isinstance(one, BaseException):
                raise one
            outcomes.append(one)
        return outcomes

    async def _outcome(self, position: int, task: Task, tries: Tries, pause: Pause) -> Outcome:
        juror, member = self._members[position]
        result: Verdict | PoisonError
        try:
            result = await member.judged(task, tries, pause)
        except PoisonError as exc:
            result = exc
        return Outcome(juror=juror, release=member.release, result=result)
