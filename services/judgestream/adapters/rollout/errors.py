"""Errors of calls to the rollout service."""

from judgestream.core.errors import BrokerUnavailable, ConfigurationError


class RolloutUnavailable(BrokerUnavailable):
    """The rollout service does not answer, or cannot act now."""

    code = "rollout_unavailable"


class RolloutRefused(ConfigurationError):
    """The rollout service refuses the call; the message says why."""

    code = "rollout_refused"
