"""The switch from one release to another, by restarting the workers one at a time. No request is lost.

A stopping worker finishes and commits the requests that it has taken. It keeps its partitions, because it
comes back under the same slot. So each request is judged by one release only. A worker that dies during the
switch may leave judged requests uncommitted: those are judged again by the new release, and get a verdict of
each release.
"""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from judgestream.adapters.releases.installed import InstalledRelease, find
from judgestream.apps.machine.supervision import Supervised
from judgestream.core.errors import ConfigurationError
from judgestream.local.judge_choice import JudgeChoice
from judgestream.local.supervisor_file import PartState, SwitchReport, SwitchState

log = logging.getLogger(__name__)


class ReleaseSwitch:
    """One switch. Call `step` about every second until it is `over`; no call blocks.

    When a worker does not start with the new release, all return to the previous one.
    """

    def __init__(
        self,
        *,
        choice: JudgeChoice,
        before: InstalledRelease,
        repository: Path,
        workers: Sequence[Supervised],
        use: Callable[[InstalledRelease], None],
    ) -> None:
        """`use` sets the release for all later starts of workers."""
        self._choice = choice
        self._before = before
        self._repository = repository
        self._use = use
        self._left = list(workers)
        self._done: list[Supervised] = []
        self._current: Supervised | None = None
        self._failure = ""
        self._begun = False
        self.over = False
        self.report = self._reported(SwitchState.UNDER_WAY, "waiting for the workers")

    def step(self) -> bool:
        """Advance the switch. Returns whether anything has changed."""
        if not self._begun:
            return self._begin()
        if self._current is not None:
            if self._current.starting:
                return False
            if self._current.state is not PartState.RUNNING and not self._failure:
                return self._go_back(self._current)
            self._done.append(self._current)
            self._current = None
        if self._left:
            return self._next()
        return self._finish()

    def _begin(self) -> bool:
        self._begun = True
        try:
            new = find(self._repository, self._choice.release)
        except ConfigurationError as exc:
            return self._end(SwitchState.FAILED, str(exc))
        self._use(new)
        log.info("switching the workers from %s to %s", self._before.name, new.name)
        return True

    def _next(self) -> bool:
        if self._left[0].starting:
            return False  # it is restarting, with an unknown one of the two releases
        self._current = self._left.pop(0)
        self._current.restart()
        name = self._current.part.name
        self.report = self._reported(SwitchState.UNDER_WAY, f"restarting {name}")
        return True

    def _go_back(self, failed: Supervised) -> bool:
        self._failure = f"{failed.part.name} did not start with it: {failed.error}"
        log.error("%s; returning to %s", self._failure, self._before.name)
        self._use(self._before)
        self._left = [failed, *self._done]
        self._done = []
        self._current = None
        return True

    def _finish(self) -> bool:
        if self._failure:
            return self._end(
                SwitchState.FAILED, f"{self._failure}\nThe workers use {self._before.name} again."
            )
        return self._end(SwitchState.DONE, f"all workers use {self._choice.release}")

    def _end(self, state: SwitchState, message: str) -> bool:
        self.over = True
        self.report = self._reported(state, message)
        log.info("switch to %s %s: %s", self._choice.release, state.value, message)
        return True

    def _reported(self, state: SwitchState, message: str) -> SwitchReport:
        return SwitchReport(
            token=self._choice.token, release=self._choice.release, state=state, message=message
        )
