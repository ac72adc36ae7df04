"""The release that answers requests on the topics: the stable one of a route, or that of the settings."""

from contextlib import closing
from dataclasses import dataclass

from judgestream.adapters.kafka.rollout_topic import RolloutReader
from judgestream.core.errors import ConfigurationError
from judgestream.core.rollout.route import Route
from judgestream.settings import Settings

READ_S = 30.0
"""The longest time to read the route."""


@dataclass(frozen=True, kw_only=True, slots=True)
class InUse:
    """`release` is "" for the only one that is loaded. `alone`: no canary answers a share of the requests."""

    release: str
    alone: bool = True


def in_use(settings: Settings) -> InUse:
    """Read the route, if workers follow it.

    Raises:
        BrokerUnavailable: no broker answers.
    """
    if settings.rollout.follow:
        try:
            with closing(RolloutReader(settings.kafka, client_id="judgestream-client")) as reader:
                reader.read_to_end(timeout_s=READ_S)
                route = Route.of(reader.rollout)
        except ConfigurationError:  # no such topic, so no route
            route = Route()
        if route.stable:
            return InUse(release=route.stable, alone=not route.canaries)
    return InUse(release=settings.triton.release)
