"""The judges of a worker, as its requests see them."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from judgestream.apps.judging.asking import Pause
from judgestream.apps.judging.one_release import RequestsJudge
from judgestream.core.types import Release, Request


class Moved(Exception):
    """Raised where a request waits for a release that has left the route: another release must judge it.

    Nothing of the request is published then.
    """


Use = tuple[RequestsJudge, Pause]
"""A judge, and the pause to give to it: it raises `Moved`, besides what the pause of the record raises."""


class Judges(Protocol):
    def release_for(self, request: Request) -> str:
        """The release that the route gives."""

    def use(
        self, release: str, pause: Pause, *, again: bool = False
    ) -> AbstractAsyncContextManager[Use]:
        """The judge of a release, kept open during the block. Waits for it with the pause.

        Args:
            again: the record was assigned to it before. It need not be in the route, only to be reached.

        Raises:
            Moved, and what `pause` raises.
        """

    @property
    def stable(self) -> Release:
        """The release that answers for records that cannot be read."""

    def finished(self, release: str) -> None:
        """Count a request that this release has answered."""


Open = Callable[[str], AbstractAsyncContextManager[RequestsJudge]]
"""Opens a release by its name. Raises JudgestreamError."""
