"""The judges of a worker that follows the published route.

A new route takes effect when its releases are open, or after `OPEN_S`: until then requests keep the former
one, so that none waits for a connection. Requests for a release that is not open by then wait, as they do for
a release that is paused.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from time import monotonic

from judgestream.apps.judging.asking import Pause
from judgestream.apps.judging.calls import PAUSE_S
from judgestream.apps.judging.combined_status import CombinedStatus
from judgestream.apps.judging.judges import Moved, Use
from judgestream.apps.judging.one_release import RequestsJudge
from judgestream.apps.judging.opened import OpenedReleases
from judgestream.apps.judging.release_health import HealthStatus
from judgestream.apps.worker import metrics
from judgestream.apps.worker.status import WorkerStatus
from judgestream.core.backoff import Backoff
from judgestream.core.errors import ConfigurationError, JudgestreamError, ReleaseNotLoaded
from judgestream.core.rollout.route import Route
from judgestream.core.rollout.state import Stage
from judgestream.core.types import Release, Request

log = logging.getLogger(__name__)

OPEN_S = 1.0
"""The longest time that a new route waits for its releases."""

SWEEP_S = 2.0
"""Between two looks for releases to close."""

WAIT_S = 0.5
"""A request that waits notices a new route after this time at the latest."""

WAITS = Backoff(first_s=0.02, longest_s=WAIT_S)
"""Pauses of a request whose release is being opened."""

FORMER = "former"
"""Instead of a stage: of a release that left the route before it answered a redelivered request."""

Opens = Callable[[str, HealthStatus], AbstractAsyncContextManager[RequestsJudge]]
"""Opens a release by its name, with the status to show its health in. Raises JudgestreamError."""


class FollowedJudges:
    """Keeps the judges of the newest route open, and moves requests that wait for others.

    route   in effect
    """

    def __init__(
        self,
        opens: Opens,
        *,
        wanted: Callable[[Route], tuple[str, ...]],
        status: WorkerStatus,
        most_s: float,
        follows: bool = True,
    ) -> None:
        """
        Args:
            wanted: the releases of a route that this worker asks.
            follows: False if no route will be taken, because the settings pin the release.
            most_s: the longest time that a redelivered record waits for a release that has left the route,
                while Triton does not say whether it is loaded.
        """
        self.route = Route()
        self._names: tuple[str, ...] = ()
        self._newest = Route()
        self._news = asyncio.Event()
        self._wanted = wanted
        self._most_s = most_s
        self._follows = follows
        self._status = status
        self._combined = CombinedStatus(status)
        self._troubled: set[str] = set()
        self._opened = OpenedReleases(
            lambda name: opens(name, self._combined.of(name)),
            failed=self._failed,
            opened=self._recovered,
            closed=self._closed,
        )

    def take(self, route: Route) -> None:
        """The newest route, from the event loop's thread. Returns at once."""
        self._newest = route
        self._news.set()

    async def start(self) -> None:
        """Open the releases of the newest route, and put it into effect."""
        await self._put_into_effect()
        self._show()

    async def follow(self) -> None:
        """Follow the routes that are taken. Never returns."""
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), SWEEP_S)
            self._news.clear()
            await self._put_into_effect()
            await self._opened.close_others({*self._names, *self._wanted(self._newest)})

    async def close(self) -> None:
        await self._opened.close()

    def names(self) -> tuple[str, ...]:
        """The releases that the worker asks under the route in effect. For any thread."""
        return self._names

    def opened(self, release: str) -> RequestsJudge | None:
        """The judge of a release; None while it is not open. For any thread."""
        return self._opened.get(release)

    @asynccontextmanager
    async def use(self, release: str, pause: Pause, *, again: bool = False) -> AsyncIterator[Use]:
        """As `judges.Judges` says."""

        async def watched(seconds: float) -> None:
            """Pause in parts. A pause between two calls of a request that is being answered moves nothing."""
            left = seconds
            while True:
                await pause(min(left, WAIT_S))
                left -= WAIT_S
                if seconds > PAUSE_S and self._must_move(release, again=again):
                    raise Moved(f"release {release} has left the route")
                if left <= 0.0:
                    return

        await self._ready(release, watched, again=again)
        with self._opened.in_use(release) as judge:
            yield judge, watched

    async def _put_into_effect(self) -> None:
        route = self._newest
        names = self._wanted(route)
        new = (route, names) != (self.route, self._names)
        await self._opened.want(names, within_s=OPEN_S if new else 0.0)
        if not new:
            return
        self.route, self._names = route, names
        self._show()
        missing = [name for name in names if self._opened.get(name) is None]
        log.info(
            "route %d: %s%s",
            route.revision,
            ", ".join(names) or "no release",
            f"; not open yet: {', '.join(missing)}" if missing else "",
        )

    def _show(self) -> None:
        metrics.route_revision.set(self.route.revision)
        self._status.routed(self.route.revision if self._follows else None, self._shown())

    def _shown(self) -> str:
        """The release to show as that of the worker."""
        return ", ".join(self._names)

    async def _ready(self, release: str, watched: Pause, *, again: bool) -> None:
        """Wait until the release is open."""
        began, tries = monotonic(), 0
        while self._opened.get(release) is None:
            if self._must_move(release, again=again):
                raise Moved(f"release {release} has left the route")
            if release not in self._names and monotonic() - began > self._most_s:
                raise Moved(f"release {release}, which has left the route, cannot be reached")
            await self._opened.want([release])
            tries += 1
            await watched(WAITS(tries))

    def _must_move(self, release: str, *, again: bool) -> bool:
        """Whether the release must not be waited for."""
        if release in self._names:
            return False
        if not again:
            return True
        judge = self._opened.get(release)
        if judge is not None:
            return judge.paused
        return isinstance(self._opened.failure(release), ReleaseNotLoaded | ConfigurationError)

    def _failed(self, release: str, error: JudgestreamError) -> None:
        if release in self._wanted(self._newest):
            self._troubled.add(release)
            self._combined.of(release).paused(f"{error.code}: {error}")

    def _recovered(self, release: str) -> None:
        if release in self._troubled:
            self._troubled.discard(release)
            self._combined.of(release).working()

    def _closed(self, release: str) -> None:
        self._recovered(release)
        for stage in (*Stage, FORMER):
            with suppress(KeyError):
                metrics.routed.remove(release, str(stage))


class RoutedJudges(FollowedJudges):
    """The judges that answer requests: the stable release and the canaries."""

    def __init__(
        self,
        opens: Opens,
        *,
        default: str,
        status: WorkerStatus,
        most_s: float,
        follows: bool = True,
    ) -> None:
        """
        Args:
            default: the release that answers while no route has a stable release.
        """
        self._default = default
        super().__init__(
            opens, wanted=self._answering, status=status, most_s=most_s, follows=follows
        )

    def release_for(self, request: Request) -> str:
        """The release that the route gives."""
        return self.route.release_for(request.request_id, request.metadata) or self._default

    @property
    def stable(self) -> Release:
        """The release that answers for records that cannot be read."""
        name = self.route.stable or self._default
        judge = self._opened.get(name)
        if judge is not None:
            return judge.release
        return Release(name=name, checkpoint_digest="", template_id="", max_input_tokens=0)

    def finished(self, release: str) -> None:
        """Count a request that this release has answered."""
        if self._opened.get(release) is None:
            return
        if release == (self.route.stable or self._default):
            stage: str = Stage.STABLE
        else:
            stage = Stage.CANARY if release in self._names else FORMER
        metrics.routed.labels(release, str(stage)).inc()

    def _answering(self, route: Route) -> tuple[str, ...]:
        if route.stable:
            return route.releases
        return (self._default, *route.releases) if self._default else route.releases

    def _shown(self) -> str:
        return self.route.stable or self._default
