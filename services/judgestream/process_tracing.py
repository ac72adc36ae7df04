"""Tracing of a process: on while its `with` block lasts, if `telemetry.endpoint` is set."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version

from prometheus_client import Counter

from judgestream.core.errors import ConfigurationError
from judgestream.settings import Telemetry
from judgestream.telemetry.logs import service_name
from judgestream.telemetry.spans import install

telemetry_lost = Counter(
    "judgestream_telemetry_lost_total",
    "Spans and events that could not be exported, and traces beyond telemetry.max_traces_per_s",
    ["signal"],
)


@contextmanager
def tracing(settings: Telemetry, *, kind: str, slot: int) -> Iterator[None]:
    """Record and export the spans of this process, which is a service of this kind.

    Args:
        slot: its number; 0 for a service that has none.

    Raises:
        ConfigurationError: the packages for it are missing, or a setting is invalid.
    """
    if not settings.endpoint:
        yield
        return
    try:
        from judgestream.adapters.otel.tracing import OtelTracer
    except ImportError as exc:
        raise ConfigurationError(
            f"telemetry.endpoint is set, and {exc.name or 'OpenTelemetry'} is not installed: run"
            " `pip install 'judgestream[otel]'`, or unset JUDGESTREAM_TELEMETRY__ENDPOINT"
        ) from exc
    tracer = OtelTracer(
        settings,
        service=service_name(kind),
        slot=slot,
        version=version("judgestream"),
        lost=lambda signal, count: telemetry_lost.labels(signal).inc(count),
    )
    install(tracer)
    try:
        yield
    finally:
        install(None)
        tracer.close()
