"""The trace that a program is in, if it uses OpenTelemetry."""

import sys
from collections.abc import Sequence

from judgestream.contracts.events import Header


def current_trace() -> Sequence[Header]:
    """The W3C trace headers of the running span; none without one.

    A program that has not imported OpenTelemetry has no span, so it is not imported here.
    """
    if "opentelemetry.trace" not in sys.modules:
        return ()
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier)
    return [(name, value.encode()) for name, value in carrier.items()]
