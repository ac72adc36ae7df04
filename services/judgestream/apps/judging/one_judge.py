"""One judge for every request, whatever routes are published."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from judgestream.apps.judging.asking import Pause
from judgestream.apps.judging.judges import Use
from judgestream.apps.judging.one_release import RequestsJudge
from judgestream.core.types import Release, Request


class OneJudge:
    """Never raises `Moved`."""

    def __init__(self, judge: RequestsJudge) -> None:
        self._judge = judge

    def release_for(self, request: Request) -> str:
        return self.stable.name

    @asynccontextmanager
    async def use(self, release: str, pause: Pause, *, again: bool = False) -> AsyncIterator[Use]:
        yield self._judge, pause

    @property
    def stable(self) -> Release:
        return self._judge.release

    def finished(self, release: str) -> None:
        """Nothing is counted."""
