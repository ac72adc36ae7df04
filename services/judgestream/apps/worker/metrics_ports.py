"""Which port a worker's metrics have: every worker of a machine its own, from one setting."""

from collections.abc import Mapping

from judgestream.core.errors import ConfigurationError
from judgestream.settings import Settings

OFFSETS: Mapping[str, int] = {"judging": 0, "bias": 100, "controller": 200}
"""Worker kind -> how far its slot 0 is from `worker.metrics_port`."""

SLOTS = 100
"""Slots of one kind that have a port of their own."""


def metrics_port(settings: Settings, kind: str, slot: int) -> int:
    """The port for this worker, 0 when no metrics are served.

    Raises:
        ConfigurationError: the slot is beyond the last that has a port.
    """
    base = settings.worker.metrics_port
    if not base:
        return 0
    if slot >= SLOTS:
        raise ConfigurationError(
            f"worker.metrics_port gives ports to the slots 0 to {SLOTS - 1} of a kind, and this is"
            f" slot {slot}: unset it, or use a lower slot"
        )
    return base + OFFSETS[kind] + slot


def with_metrics_port(settings: Settings, kind: str, slot: int) -> Settings:
    """The settings of one worker, in which `worker.metrics_port` is the worker's own port."""
    port = metrics_port(settings, kind, slot)
    worker = settings.worker.model_copy(update={"metrics_port": port})
    return settings.model_copy(update={"worker": worker})
