"""Spans of a trace, as the code that does the work sees them.

Each task has its running span, which it passes on to the tasks that it starts. Until `install` is called, and
for work that is not sampled, that is `NOT_RECORDED`, whose methods do nothing.

    with current().child("send judge.verdicts.v1", Kind.PRODUCER) as span:
        if span.recording:
            span.put({"messaging.system": "kafka"})
"""

from collections.abc import Mapping, Sequence
from contextvars import ContextVar, Token
from enum import StrEnum
from types import TracebackType
from typing import Protocol, Self

from judgestream.core.types import Verdict

Value = str | bool | int | float | Sequence[str] | Sequence[int]
Attributes = Mapping[str, Value]
Header = tuple[str, bytes]


class Kind(StrEnum):
    """OpenTelemetry's kinds of spans."""

    INTERNAL = "internal"
    CLIENT = "client"
    PRODUCER = "producer"
    CONSUMER = "consumer"


class Span:
    """A span that is not recorded. Recorded ones override every method.

    recording           whether anybody will see it: compute attributes only then
    trace_id, span_id   hexadecimal; "" if it is not recorded
    """

    recording: bool = False
    trace_id: str = ""
    span_id: str = ""

    def child(self, name: str, kind: Kind) -> "Span":
        """A span below this one. It begins now, and ends with its `with` block."""
        return self

    def put(self, attributes: Attributes) -> None:
        """Set attributes."""

    def link(self, trace_headers: Sequence[Header]) -> None:
        """Link the span that these trace headers name, once. Headers that name none are ignored."""

    def event(self, name: str, attributes: Attributes) -> None:
        """Something that happened at this moment."""

    def failed(self, error_type: str, text: str) -> None:
        """The work ends without success. An exception that leaves the `with` block says so by itself."""

    def evaluation(self, verdict: Verdict) -> None:
        """A verdict as the event `gen_ai.evaluation.result`."""

    def headers(self) -> Sequence[Header]:
        """The trace headers that name this span as the parent; none if it is not recorded."""
        return ()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None


NOT_RECORDED = Span()

_current: ContextVar[Span] = ContextVar("judgestream_span", default=NOT_RECORDED)


def current() -> Span:
    """The running span."""
    return _current.get()


def enter(span: Span) -> Token[Span]:
    """Make it the running span, until `leave`. For implementations of `Span`."""
    return _current.set(span)


def leave(token: Token[Span]) -> None:
    _current.reset(token)


class Tracer(Protocol):
    """Begins traces and continues those of others."""

    def begin(
        self,
        name: str,
        kind: Kind,
        *,
        parent: Sequence[Header],
        started_ns: int | None,
        drawn: bool,
    ) -> Span:
        """See `begin` below."""


class _NoTracer:
    def begin(self, *_: object, **__: object) -> Span:
        return NOT_RECORDED


_NO_TRACER = _NoTracer()
_tracer: Tracer = _NO_TRACER


def install(tracer: Tracer | None) -> None:
    """Let this tracer record the spans of the process; None: nobody."""
    global _tracer
    _tracer = tracer or _NO_TRACER


def tracing() -> bool:
    """Whether a tracer is installed. Without one, trace headers need not be read."""
    return _tracer is not _NO_TRACER


def begin(
    name: str,
    kind: Kind,
    *,
    parent: Sequence[Header] = (),
    started_ns: int | None = None,
    drawn: bool = True,
) -> Span:
    """A span with no span of this process above it. Recorded only if it is sampled.

    Args:
        parent: trace headers, well-formed; without them a new trace begins.
        started_ns: since the epoch; None: now.
        drawn: whether a new trace is drawn by `telemetry.sample_ratio`. Work that is rare is always wanted.
    """
    return _tracer.begin(name, kind, parent=parent, started_ns=started_ns, drawn=drawn)
