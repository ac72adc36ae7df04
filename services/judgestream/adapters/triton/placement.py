"""One release at one server of the fleet: whether it can be asked there, and its record of answers."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from judgestream.adapters.triton.errors import judge_call
from judgestream.adapters.triton.judge import TritonJudge
from judgestream.adapters.triton.server import HEALTH_S, Server
from judgestream.core.errors import (
    JudgeDeadlineExceeded,
    JudgestreamError,
    JudgeUnavailable,
    ReleaseChanged,
    ReleaseNotLoaded,
)
from judgestream.core.fleet.choice import Latency, Load
from judgestream.core.fleet.put_aside import PutAside
from judgestream.core.passes import Pass
from judgestream.core.types import Reply

NOT_CHECKED = "unknown: not checked yet"

SHOWN_S = 10.0
"""A failure is reported until this long after its pause: without calls nobody knows whether it is over."""

MAX_SHOWN = 200
"""Characters of an error that a report repeats."""


class Placement:
    """Safe to use from many tasks of one event loop.

    judge     None until the release has been found at this server
    problem   why the release cannot be asked here, by the latest check; None if it can
    aside     pauses after failures
    """

    def __init__(self, server: Server, name: str, deadline_s: float) -> None:
        self.server = server
        self.name = name
        self.judge: TritonJudge | None = None
        self.problem: JudgestreamError | None = None
        self.aside = PutAside()
        self._deadline_s = deadline_s
        self._latency = Latency()
        self._trying = False

    @property
    def askable(self) -> bool:
        """Whether a call can be made, even if it is expected to fail."""
        return self.server.open and self.judge is not None

    @property
    def usable(self) -> bool:
        """Whether a call should be answered."""
        now = self.server.clock()
        return (
            self.askable
            and self.server.live
            and self.problem is None
            and not self.aside.lasts(now)
            and not self._trying
        )

    @property
    def load(self) -> Load:
        return Load(
            in_flight=self.server.in_flight,
            latency_s=self._latency.seconds(now=self.server.clock()),
            chosen=self.server.chosen,
        )

    @property
    def trouble(self) -> str:
        """Why it is not used, as "code: text"; or ""."""
        if self.problem is not None:
            return _shown(self.problem)
        if not self.server.live:
            return f"{JudgeUnavailable.code}: {self.server.reason}"[:MAX_SHOWN]
        if self.judge is None:
            return NOT_CHECKED
        recent = self.server.clock() < self.aside.until + SHOWN_S
        return self.aside.reason if recent else ""

    async def open(self, digest: str | None) -> None:
        """Find the release at the server.

        Args:
            digest: of the checkpoint that the fleet's release has; None if this is not known yet.

        Raises:
            JudgestreamError: as `TritonJudge.open`; ReleaseChanged if the server has another checkpoint.
        """
        server = self.server
        try:
            judge = await TritonJudge.open(
                server.connection, self.name, deadline_s=self._deadline_s
            )
            if digest is not None and judge.release.checkpoint_digest != digest:
                raise another_checkpoint(self.name, judge.release.checkpoint_digest, digest)
        except JudgestreamError as exc:
            self.problem = exc
            raise
        self.judge, self.problem = judge, None

    async def check(self, digest: str) -> None:
        """Find out whether the release can be asked here. Raises nothing."""
        with suppress(JudgestreamError, TimeoutError):
            async with asyncio.timeout(HEALTH_S):
                if self.judge is None:
                    await self.open(digest)
                    return
                try:
                    with judge_call(self.name):
                        async with self.server.connection.client() as client:
                            ready = await client.is_model_ready(self.name)
                    if not ready:
                        raise ReleaseNotLoaded(
                            f"release {self.name} is not loaded on Triton at {self.server.address}"
                        )
                    await self.judge.verify()
                except JudgestreamError as exc:
                    self.problem = exc
                else:
                    self.problem = None

    async def ask(self, passes: Sequence[Pass]) -> list[Reply]:
        """As `TritonJudge.ask`; counts the call and its latency."""
        if self.judge is None:
            raise ReleaseNotLoaded(
                f"release {self.name} is not loaded on Triton at {self.server.address}"
            )
        clock = self.server.clock
        began = clock()
        with self.server.call(), self._trial():
            try:
                replies = await self.judge.ask(passes)
            except JudgeDeadlineExceeded:
                self._latency.observe(clock() - began, now=clock())
                self.server.calls["missed"] += 1
                raise
            except JudgestreamError:
                self.server.calls["failed"] += 1
                raise
        self._latency.observe(clock() - began, now=clock())
        self.server.calls["answered"] += 1
        self.aside.ended()
        return replies

    @contextmanager
    def _trial(self) -> Iterator[None]:
        """After a pause, one call tries the server alone before it gets others."""
        trial = bool(self.aside.reason)
        self._trying = self._trying or trial
        try:
            yield
        finally:
            if trial:
                self._trying = False

    def failed(self, error: JudgestreamError) -> None:
        """A call failed for a reason that may lie in this server: it gets none for a while."""
        self.aside.failed(_shown(error), self.server.clock())
        self.server.check_now.set()


def another_checkpoint(name: str, theirs: str, ours: str) -> ReleaseChanged:
    return ReleaseChanged(
        f"this Triton has checkpoint {theirs[:8] or 'without a digest'} under the name {name}, and the"
        f" release in use is {ours[:8]}: load the release that belongs there"
    )


def _shown(error: JudgestreamError) -> str:
    return f"{error.code}: {error}"[:MAX_SHOWN]
