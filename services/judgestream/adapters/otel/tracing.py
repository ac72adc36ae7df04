"""Spans and evaluation events of a process, by OpenTelemetry's SDK.

Evaluation events travel as log records, as the conventions ask: events of spans are on their way out.
"""

import random
import socket
from collections.abc import Callable, Mapping, Sequence
from contextvars import Token
from time import monotonic, time_ns
from types import TracebackType

from opentelemetry import trace
from opentelemetry._logs import LogRecord
from opentelemetry.context import Context
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from judgestream.adapters.otel.export_queue import ExportQueue
from judgestream.adapters.otel.exporters import Exporters
from judgestream.core.limits import MESSAGE, cut
from judgestream.core.masking import masked
from judgestream.core.types import Verdict
from judgestream.settings import Telemetry
from judgestream.telemetry import evaluation_event
from judgestream.telemetry.sampling import Sampling
from judgestream.telemetry.spans import (
    NOT_RECORDED,
    Attributes,
    Header,
    Kind,
    Span,
    enter,
    leave,
)

SCOPE = "judgestream"
CLOSE_S = 2.0
"""Time that a process waits at its end for what is not exported yet."""
LIMITS = SpanLimits(max_span_attributes=64, max_events=64, max_attribute_length=2048)

_KINDS = {kind: trace.SpanKind[kind.name] for kind in Kind}
_W3C = TraceContextTextMapPropagator()

Lost = Callable[[str, int], None]
"""Called with the kind of what is lost, and the number."""


class OtelTracer:
    """Records the spans of a process, and exports them from threads. `close` it at the end."""

    def __init__(
        self, settings: Telemetry, *, service: str, slot: int, version: str, lost: Lost
    ) -> None:
        """Connects in the background: a collector that does not answer holds nobody up.

        Args:
            lost: called with "spans" and "events" that are lost, and with "traces" that were to be made
                and exceeded `max_traces_per_s`.

        Raises:
            ConfigurationError: `telemetry.ca_file` cannot be read.
        """
        self.explanations = settings.explanations
        self._lost = lost
        self._sampling = Sampling(
            share=settings.sample_ratio,
            most_per_s=settings.max_traces_per_s,
            clock=monotonic,
            draw=random.SystemRandom().random,
        )
        resource = Resource.create(
            {
                "service.name": service,
                "service.namespace": "judgestream",
                "service.version": version,
                "service.instance.id": f"{socket.gethostname()}/{slot}",
            }
        )
        self._exporters = exporters = Exporters(settings)
        self._spans = ExportQueue(
            exporters.spans, what="spans", lost=lambda count: lost("spans", count)
        )
        self._events = ExportQueue(
            exporters.events, what="events", lost=lambda count: lost("events", count)
        )
        spans = TracerProvider(
            sampler=ALWAYS_ON, resource=resource, shutdown_on_exit=False, span_limits=LIMITS
        )
        spans.add_span_processor(_Queued(self._spans))
        self.tracer = spans.get_tracer(SCOPE, version)
        self._resource, self._scope = resource, InstrumentationScope(SCOPE, version)

    def begin(
        self,
        name: str,
        kind: Kind,
        *,
        parent: Sequence[Header],
        started_ns: int | None,
        drawn: bool = True,
    ) -> Span:
        context = _context(parent)
        remote = trace.get_current_span(context).get_span_context() if context else None
        known = remote is not None and remote.is_valid
        sampled = bool(remote.trace_flags.sampled) if remote is not None and known else None
        if sampled is None and not drawn:
            sampled = True
        limited = self._sampling.limited
        if not self._sampling.wanted(sampled):
            if self._sampling.limited > limited:
                self._lost("traces", 1)
            return NOT_RECORDED
        span = self.tracer.start_span(name, context, _KINDS[kind], start_time=started_ns)
        return RecordedSpan(self, span)

    def emit(self, event: LogRecord) -> None:
        """Export an event."""
        self._events.put(
            ReadableLogRecord(event, resource=self._resource, instrumentation_scope=self._scope)
        )

    def close(self) -> None:
        """Export what is left, for at most `CLOSE_S`."""
        end = monotonic() + CLOSE_S
        for queue in (self._spans, self._events):
            queue.close(max(0.0, end - monotonic()))
        self._exporters.close()


class RecordedSpan(Span):
    """One span of the SDK."""

    recording = True

    def __init__(self, owner: OtelTracer, span: trace.Span) -> None:
        self._owner = owner
        self._span = span
        context = span.get_span_context()
        self.trace_id = trace.format_trace_id(context.trace_id)
        self.span_id = trace.format_span_id(context.span_id)
        self._token: Token[Span] | None = None
        self._linked: list[trace.SpanContext] = []

    def child(self, name: str, kind: Kind) -> Span:
        above = trace.set_span_in_context(self._span)
        return RecordedSpan(self._owner, self._owner.tracer.start_span(name, above, _KINDS[kind]))

    def put(self, attributes: Attributes) -> None:
        self._span.set_attributes(_sound(attributes))

    def link(self, trace_headers: Sequence[Header]) -> None:
        context = _context(trace_headers)
        earlier = trace.get_current_span(context).get_span_context() if context else None
        if earlier is not None and earlier.is_valid and earlier not in self._linked:
            self._linked.append(earlier)
            self._span.add_link(earlier)

    def event(self, name: str, attributes: Attributes) -> None:
        self._span.add_event(name, _sound(attributes))

    def failed(self, error_type: str, text: str) -> None:
        self._span.set_attribute("error.type", error_type)
        self._span.set_status(trace.StatusCode.ERROR, cut(masked(text), MESSAGE))

    def evaluation(self, verdict: Verdict) -> None:
        now = time_ns()
        found = evaluation_event.attributes(verdict, explanations=self._owner.explanations)
        self._owner.emit(
            LogRecord(
                timestamp=now,
                observed_timestamp=now,
                context=trace.set_span_in_context(self._span),
                event_name=evaluation_event.NAME,
                attributes=_sound(found),
            )
        )

    def headers(self) -> Sequence[Header]:
        carrier: dict[str, str] = {}
        _W3C.inject(carrier, trace.set_span_in_context(self._span))
        return [(name, value.encode()) for name, value in carrier.items()]

    def __enter__(self) -> "RecordedSpan":
        self._token = enter(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            code = getattr(error, "code", None)
            self.failed(code if isinstance(code, str) else type(error).__name__, str(error))
        if self._token is not None:
            leave(self._token)
        self._span.end()


def _context(headers: Sequence[Header]) -> Context | None:
    """The context that trace headers name; None without any."""
    carrier = {key: value.decode("ascii", "replace") for key, value in headers}
    return _W3C.extract(carrier) if carrier else None


def _sound(
    attributes: Attributes,
) -> Mapping[str, str | bool | int | float | Sequence[str] | Sequence[int]]:
    """Text that UTF-8 can encode and that has a bounded length."""
    return {
        name: cut(value, LIMITS.max_attribute_length or MESSAGE)
        if isinstance(value, str)
        else value
        for name, value in attributes.items()
    }


class _Queued(SpanProcessor):
    """Hands finished spans to the queue."""

    def __init__(self, queue: ExportQueue[ReadableSpan]) -> None:
        self._queue = queue

    def on_end(self, span: ReadableSpan) -> None:
        self._queue.put(span)
