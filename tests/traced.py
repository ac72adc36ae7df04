"""Spans that the code of a test records, as a collector gets them."""

from collections.abc import Iterator
from contextlib import contextmanager

from judgestream.adapters.otel.tracing import OtelTracer
from judgestream.settings import Telemetry
from judgestream.telemetry.spans import install
from tests.integration.otlp import ReceivedSpan, Receiver, receiving


class Traces:
    """What this process sends while it is traced."""

    def __init__(self, receiver: Receiver, *, share: float) -> None:
        self._receiver = receiver
        self._tracer = OtelTracer(
            Telemetry(endpoint=receiver.endpoint, sample_ratio=share),
            service="judgestream-test",
            slot=0,
            version="1",
            lost=lambda signal, count: None,
        )
        install(self._tracer)

    def spans(self) -> list[ReceivedSpan]:
        """All spans, in the order of their ends. Nothing is traced after this."""
        install(None)
        self._tracer.close()
        return self._receiver.spans


@contextmanager
def recording(*, share: float = 1.0) -> Iterator[Traces]:
    """Trace this process during the block. `share`: of the traces that no producer began."""
    with receiving() as receiver:
        traces = Traces(receiver, share=share)
        try:
            yield traces
        finally:
            traces.spans()
