"""One release over a fleet of Triton servers, with the interface of `TritonJudge`.

Each call goes to the least loaded server that has the release. What happens when it fails:

- The server did not take it, or died (`ELSEWHERE`): the call is made again at once on another server. A call
  to a judge changes nothing, so this is safe, and it is not an attempt of the request.
- The model failed (`JudgeError`, or its process died): the error is raised, because the request may be the
  cause and would do the same on the next server. The server gets no calls of this release for a while.
- Anything else is raised as one Triton alone would.

Where no server is usable, those that are put aside or down are asked all the same, so a fleet of one server
behaves as that server does.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager
from typing import Self

from judgestream.adapters.tls.client import PLAINTEXT, ClientTls
from judgestream.adapters.triton.fleet import Fleet
from judgestream.adapters.triton.model_config import check_name, loaded_judges, single
from judgestream.adapters.triton.placement import NOT_CHECKED, Placement, another_checkpoint
from judgestream.adapters.triton.server import Server
from judgestream.core.costs import Terms
from judgestream.core.errors import (
    EndpointUnreachable,
    JudgeError,
    JudgestreamError,
    JudgeUnavailable,
    JudgeUnhealthy,
    KeyRefused,
    ReleaseChanged,
    ReleaseError,
    ReleaseNotLoaded,
    RetryableError,
)
from judgestream.core.fleet.choice import least_loaded
from judgestream.core.fleet.identity import agreed_digest
from judgestream.core.fleet.server_list import parse_servers
from judgestream.core.passes import Pass
from judgestream.core.types import Release, Reply

log = logging.getLogger(__name__)

OPEN_S = 5.0
"""A release is open once one server has it; the others have this long. They are found later, too."""

ELSEWHERE = (JudgeUnavailable, ReleaseNotLoaded, ReleaseChanged, KeyRefused, EndpointUnreachable)
"""Failures of one server, after which the same call is made on another."""


class FleetJudge:
    """Safe to use from many tasks of one event loop. `close` it before the fleet.

    parameters  of the model's configuration in Triton
    terms       prices and budget, as of the latest `verify`
    """

    def __init__(self, fleet: Fleet, placements: Sequence[Placement], deadline_s: float) -> None:
        """
        Args:
            placements: at least one of them has found the release.
        """
        first = next(one.judge for one in placements if one.judge is not None)
        self.release: Release = first.release
        self.parameters = first.parameters
        self.terms: Terms = first.terms
        self._fleet = fleet
        self._deadline_s = deadline_s
        self._placements = {one.server: one for one in placements}
        fleet.judges.append(self)

    @classmethod
    async def connect(cls, fleet: Fleet, release: str, *, deadline_s: float) -> Self:
        """Find the release in the fleet. One server that has it is enough.

        With an empty `release` exactly one judge must be loaded on the servers that answer.

        Raises:
            JudgeUnavailable: no Triton answers.
            ReleaseNotLoaded: no server that answers has the release.
            ConfigurationError: the model is not one of our judges, or there are several to choose from.
        """
        check_name(release)
        if not fleet.servers:
            raise JudgeUnavailable(
                f"there is no Triton to ask for release {release or '(any)'}:"
                f" {fleet.problems or fleet.text}. Correct JUDGESTREAM_TRITON__GRPC"
            )
        servers = list(fleet.servers.values())
        name = release or single(await _loaded(servers))
        placements = [Placement(server, name, deadline_s) for server in servers]
        await _first_of([one.open(None) for one in placements])
        digests = [
            one.judge.release.checkpoint_digest for one in placements if one.judge is not None
        ]
        if not digests:
            raise _none_of([one.problem for one in placements], servers, name)
        digest = agreed_digest(name, digests)
        for one in placements:
            if one.judge is not None and one.judge.release.checkpoint_digest != digest:
                one.problem = another_checkpoint(name, one.judge.release.checkpoint_digest, digest)
                one.judge = None
                log.warning("Triton at %s is not used: %s", one.server.address, one.problem)
        return cls(fleet, placements, deadline_s)

    @property
    def name(self) -> str:
        return self.release.name

    async def close(self) -> None:
        """Stop the checks of this release. The clients belong to the fleet."""
        if self in self._fleet.judges:
            self._fleet.judges.remove(self)

    async def ask(self, passes: Sequence[Pass]) -> list[Reply]:
        """One reply per pass, in order, all from one server.

        Raises:
            As `TritonJudge.ask`.
        """
        tried: dict[Placement, JudgestreamError] = {}
        while True:
            placement = self._choose(tried)
            try:
                return await placement.ask(passes)
            except ELSEWHERE as exc:
                placement.failed(exc)
                tried[placement] = exc
                placement.server.calls["asked_elsewhere"] += 1
            except (JudgeError, JudgeUnhealthy) as exc:
                placement.failed(exc)
                if isinstance(exc, JudgeUnhealthy) and any(one.usable for one in self._all()):
                    # the release as a whole answers, so it must not pause
                    raise JudgeError(f"at {placement.server.address}: {exc}") from exc
                raise

    async def verify(self) -> None:
        """Check at one server that the release's name still stands for its checkpoint, and read its terms.

        Raises:
            As `TritonJudge.verify`.
        """
        tried: dict[Placement, JudgestreamError] = {}
        while True:
            placement = self._choose(tried, count=False)
            judge = placement.judge
            if judge is None:
                raise ReleaseNotLoaded(f"release {self.name} is not loaded")
            try:
                await judge.verify()
            except ELSEWHERE as exc:
                placement.failed(exc)
                tried[placement] = exc
            else:
                self.terms = judge.terms
                return

    async def check(self, server: Server, *, is_back: bool) -> None:
        """Check the release at a server that answers. Raises nothing."""
        placement = self._at(server)
        if is_back:
            placement.aside.ended()
        before = placement.problem
        await placement.check(self.release.checkpoint_digest)
        if before is not None and placement.problem is None:
            placement.aside.ended()
        if placement.problem is not None and type(before) is not type(placement.problem):
            log.warning(
                "Triton at %s is not used for release %s: %s",
                server.address,
                self.name,
                placement.problem,
            )

    def problem_at(self, server: Server) -> str:
        placement = self._placements.get(server)  # read by other threads, so nothing is added
        return NOT_CHECKED if placement is None else placement.trouble

    def _at(self, server: Server) -> Placement:
        if server not in self._placements:
            self._placements[server] = Placement(server, self.name, self._deadline_s)
        return self._placements[server]

    def _all(self) -> list[Placement]:
        """The release at every server that the fleet has now."""
        servers = list(self._fleet.servers.values())
        placements = [self._at(server) for server in servers]
        if len(self._placements) > len(servers):
            for gone in self._placements.keys() - set(servers):
                del self._placements[gone]
        return placements

    def _choose(self, tried: dict[Placement, JudgestreamError], *, count: bool = True) -> Placement:
        """The server for the next call: usable if one is, else the one whose pause ends first.

        Raises:
            JudgestreamError: every server was tried, or none may be asked.
        """
        left = [one for one in self._all() if one not in tried and one.askable]
        usable = [one for one in left if one.usable]
        if usable:
            placement = usable[least_loaded([one.load for one in usable])]
        elif left:
            placement = min(left, key=lambda one: (one.aside.until, one.server.chosen))
        else:
            raise self._nobody(list(tried.values()))
        if count:
            self._fleet.chosen(placement.server)
        return placement

    def _nobody(self, failures: Sequence[JudgestreamError]) -> JudgestreamError:
        """The error when no server is left to ask: that of the call, of the servers, or that all drain."""
        everywhere = self._all()
        if failures and len(everywhere) == 1:
            return failures[0]
        problems = [*failures, *(one.problem for one in everywhere if one.problem is not None)]
        texts = "; ".join(
            f"{one.server.address} {one.server.state}{f' ({one.trouble})' if one.trouble else ''}"
            for one in everywhere
        )
        text = f"no Triton can be asked for release {self.name}: {texts or self._fleet.problems}"
        if any(one.server.draining for one in everywhere):
            text += "; `judgestream triton undrain` puts a drained one to use again"
        kind = _gravest([one for one in problems if isinstance(one, ReleaseError | RetryableError)])
        return kind(text)


@asynccontextmanager
async def single_judge(
    servers: str, release: str, *, deadline_s: float, tls: ClientTls = PLAINTEXT
) -> AsyncIterator[FleetJudge]:
    """A release over the servers of the setting `triton.grpc`, for a look. Raises as `FleetJudge.connect`."""
    async with Fleet(parse_servers(servers), tls=tls) as fleet:
        yield await FleetJudge.connect(fleet, release, deadline_s=deadline_s)


async def _loaded(servers: Sequence[Server]) -> list[str]:
    """The judges that are loaded on any server that answers.

    Raises:
        JudgestreamError: none answers.
    """
    found = await asyncio.gather(
        *(loaded_judges(server.connection) for server in servers), return_exceptions=True
    )
    names: set[str] = set()
    errors: list[JudgestreamError | None] = []
    for one in found:
        if isinstance(one, JudgestreamError):
            errors.append(one)
        elif isinstance(one, BaseException):
            raise one
        else:
            names.update(one)
    if len(errors) == len(servers):
        raise _none_of(errors, servers, "")
    return sorted(names)


async def _first_of(looks: Sequence[Awaitable[None]]) -> None:
    """Wait for all for `OPEN_S`, and then until one has succeeded or all have failed."""
    tasks = [asyncio.ensure_future(look) for look in looks]
    try:
        await asyncio.wait(tasks, timeout=OPEN_S)
        while not any(_succeeded(task) for task in tasks) and not all(t.done() for t in tasks):
            await asyncio.wait(
                [task for task in tasks if not task.done()], return_when=asyncio.FIRST_COMPLETED
            )
    finally:
        for task in tasks:
            task.cancel()
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(result, Exception) and not isinstance(result, JudgestreamError):
                raise result


def _succeeded(task: "asyncio.Future[None]") -> bool:
    return task.done() and not task.cancelled() and task.exception() is None


def _none_of(
    errors: Sequence[JudgestreamError | None], servers: Sequence[Server], name: str
) -> JudgestreamError:
    """The error when no server has the release: that of the only one, or one about all."""
    found = [error for error in errors if error is not None]
    kind = _gravest(found)
    texts = [str(error) for error in found]
    if len(servers) == 1 and kind is not JudgeUnavailable:
        return kind(texts[0])
    addresses = ", ".join(server.address for server in servers)
    if kind is JudgeUnavailable:
        does = "does" if len(servers) == 1 else "do"
        return JudgeUnavailable(
            f"Triton at {addresses} {does} not answer for release {name or '(any)'}: {'; '.join(texts)}."
            " Start it, or set JUDGESTREAM_TRITON__GRPC"
        )
    return kind(
        f"none of the Tritons at {addresses} can be used: {'; '.join(dict.fromkeys(texts))}"
    )


def _gravest(errors: Sequence[JudgestreamError]) -> type[JudgestreamError]:
    """The class of the error about all servers: the release must be loaded somewhere, or all agree on another
    reason, or it is only a matter of time."""
    if any(isinstance(error, ReleaseNotLoaded) for error in errors):
        return ReleaseNotLoaded
    if not errors or any(isinstance(error, JudgeUnavailable) for error in errors):
        return JudgeUnavailable
    return type(errors[0])
