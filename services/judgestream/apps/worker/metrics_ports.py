"""The metrics port of each worker of a machine, derived from one setting."""

from collections.abc import Mapping

from judgestream.core.errors import ConfigurationError
from judgestream.settings import Settings

OFFSETS: Mapping[str, int] = {"judging": 0, "bias": 100, "rollout": 200, "shadow": 300}
"""Worker kind -> offset of its slot 0 from `worker.metrics_port`."""

SLOTS = 100
"""Slots of one kind that have a port."""


def metrics_port(settings: Settings, kind: str, slot: int) -> int:
    """The port of this worker; 0 when no metrics are served.

    Raises:
        ConfigurationError: the slot is beyond the last that has a port.
    """
    base = settings.worker.metrics_port
    if not base:
        return 0
    if slot >= SLOTS:
        raise ConfigurationError(
            f"worker.metrics_port has ports for the slots 0 to {SLOTS - 1} of a kind, and this is"
            f" slot {slot}: unset it, or use a lower slot"
        )
    return base + OFFSETS[kind] + slot


def with_metrics_port(
    settings: Settings, kind: str, slot: int, *, exact: int | None = None
) -> Settings:
    """Settings whose `worker.metrics_port` is the port of this worker.

    Args:
        exact: the port whatever the kind and slot are, for workers that share no machine; None = derived.
    """
    port = metrics_port(settings, kind, slot) if exact is None else exact
    worker = settings.worker.model_copy(update={"metrics_port": port})
    return settings.model_copy(update={"worker": worker})
