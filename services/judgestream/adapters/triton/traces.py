"""Triton's own spans: it continues the trace of a call that carries `traceparent`, over OTLP by HTTP."""

from collections.abc import Sequence

OTHERS = 2**31 - 1
"""Of the calls without a `traceparent`, one in this many is traced: Triton has no setting for none."""


def trace_arguments(endpoint: str) -> Sequence[str]:
    """The arguments of a Triton that exports its spans to this URL; none without one."""
    if not endpoint:
        return ()
    return (
        "--trace-config=mode=opentelemetry",
        "--trace-config=level=TIMESTAMPS",
        f"--trace-config=rate={OTHERS}",
        f"--trace-config=opentelemetry,url={endpoint}",
        "--trace-config=opentelemetry,resource=service.name=triton",
        "--trace-config=opentelemetry,resource=service.namespace=judgestream",
    )
