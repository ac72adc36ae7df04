"""The routes that a worker follows, from the thread that reads them into its event loop."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from judgestream.adapters.kafka.rollouts import RolloutFollower
from judgestream.apps.worker import metrics
from judgestream.core.rollout.route import Route
from judgestream.core.rollout.state import Rollout
from judgestream.settings import Settings

READ_S = 30.0
"""The longest time that a worker waits at its start for the route. It must not judge by an old one."""


class Routes:
    """The published routes; always the empty one if the worker does not follow them."""

    def __init__(self, follower: RolloutFollower | None) -> None:
        self._follower = follower

    @property
    def followed(self) -> bool:
        return self._follower is not None

    @property
    def newest(self) -> Route:
        return Route() if self._follower is None else Route.of(self._follower.rollout)

    def wait(self) -> None:
        """Wait until the published route is known. Raises BrokerUnavailable."""
        if self._follower is not None:
            self._follower.wait(READ_S)

    def feed(self, take: Callable[[Route], None]) -> None:
        """Call `take` in the running event loop with the route now, and with every later one."""
        if self._follower is None:
            return
        loop = asyncio.get_running_loop()
        take(self.newest)

        def taken(rollout: Rollout) -> None:
            with suppress(RuntimeError):  # the loop is closed: the worker ends
                loop.call_soon_threadsafe(take, Route.of(rollout))

        self._follower.subscribe(taken)


@contextmanager
def following(settings: Settings) -> Iterator[Routes]:
    """Follow the routes during the block, unless the settings pin the release."""
    if not settings.rollout.follow:
        yield Routes(None)
        return
    with RolloutFollower(settings.kafka) as follower:
        metrics.rollout_records_skipped.set_function(lambda: follower.skipped)
        yield Routes(follower)
