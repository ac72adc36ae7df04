"""OTLP receivers that keep what they get: the gRPC services of a collector, and its HTTP port for Triton."""

import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any

import grpc
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2, logs_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from judgestream.local.ports import HOST

KINDS = ("unspecified", "internal", "server", "client", "producer", "consumer")
ERROR = 2


@dataclass(frozen=True, kw_only=True)
class ReceivedSpan:
    """A span, its ids hexadecimal.

    parent   span id; "" for the first of a trace
    failed   whether its status is an error
    events   name -> attributes of the latest event of that name
    links    trace id and span id of each linked span
    """

    service: str
    name: str
    kind: str
    trace_id: str
    span_id: str
    parent: str
    failed: bool
    attributes: Mapping[str, Any]
    events: Mapping[str, Mapping[str, Any]]
    links: Sequence[tuple[str, str]]
    seconds: float


@dataclass(frozen=True, kw_only=True)
class ReceivedEvent:
    """A log record with an event name."""

    name: str
    trace_id: str
    span_id: str
    attributes: Mapping[str, Any]


@dataclass
class Receiver:
    """What was received so far.

    endpoint   for `telemetry.endpoint`
    headers    of the latest export
    """

    endpoint: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    _spans: list[ReceivedSpan] = field(default_factory=list)
    _events: list[ReceivedEvent] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock)

    @property
    def spans(self) -> list[ReceivedSpan]:
        with self._lock:
            return list(self._spans)

    @property
    def events(self) -> list[ReceivedEvent]:
        with self._lock:
            return list(self._events)

    def take_spans(
        self, request: Any, context: Any
    ) -> trace_service_pb2.ExportTraceServiceResponse:
        with self._lock:
            self.headers = dict(context.invocation_metadata())
            for resource in request.resource_spans:
                service = str(attributes(resource.resource.attributes).get("service.name", ""))
                for scope in resource.scope_spans:
                    self._spans += [_span(one, service) for one in scope.spans]
        return trace_service_pb2.ExportTraceServiceResponse()

    def take_logs(self, request: Any, context: Any) -> logs_service_pb2.ExportLogsServiceResponse:
        with self._lock:
            for resource in request.resource_logs:
                for scope in resource.scope_logs:
                    self._events += [
                        ReceivedEvent(
                            name=one.event_name,
                            trace_id=one.trace_id.hex(),
                            span_id=one.span_id.hex(),
                            attributes=attributes(one.attributes),
                        )
                        for one in scope.log_records
                    ]
        return logs_service_pb2.ExportLogsServiceResponse()


def attributes(pairs: Any) -> dict[str, Any]:
    """Attributes as plain values."""
    return {pair.key: _value(pair.value) for pair in pairs if isinstance(pair, KeyValue)}


def _value(value: AnyValue) -> Any:
    which = value.WhichOneof("value")
    if which == "array_value":
        return [_value(one) for one in value.array_value.values]
    return None if which is None else getattr(value, which)


def _span(one: Any, service: str) -> ReceivedSpan:
    return ReceivedSpan(
        service=service,
        name=one.name,
        kind=KINDS[one.kind],
        trace_id=one.trace_id.hex(),
        span_id=one.span_id.hex(),
        parent=one.parent_span_id.hex(),
        failed=one.status.code == ERROR,
        attributes=attributes(one.attributes),
        events={event.name: attributes(event.attributes) for event in one.events},
        links=[(link.trace_id.hex(), link.span_id.hex()) for link in one.links],
        seconds=(one.end_time_unix_nano - one.start_time_unix_nano) / 1e9,
    )


class _Traces(trace_service_pb2_grpc.TraceServiceServicer):
    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver

    def Export(self, request: Any, context: Any) -> Any:  # noqa: N802 - the service's name
        return self._receiver.take_spans(request, context)


class _Logs(logs_service_pb2_grpc.LogsServiceServicer):
    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver

    def Export(self, request: Any, context: Any) -> Any:  # noqa: N802 - the service's name
        return self._receiver.take_logs(request, context)


@contextmanager
def receiving(credentials: grpc.ServerCredentials | None = None) -> Iterator[Receiver]:
    """A receiver on a free port; with TLS if it gets credentials."""
    receiver = Receiver()
    server = grpc.server(ThreadPoolExecutor(2))
    # generated without types
    add: Any = trace_service_pb2_grpc.add_TraceServiceServicer_to_server
    add(_Traces(receiver), server)
    add = logs_service_pb2_grpc.add_LogsServiceServicer_to_server
    add(_Logs(receiver), server)
    if credentials is None:
        port = server.add_insecure_port(f"{HOST}:0")
        receiver.endpoint = f"http://{HOST}:{port}"
    else:
        port = server.add_secure_port(f"{HOST}:0", credentials)
        receiver.endpoint = f"https://{HOST}:{port}"
    server.start()
    try:
        yield receiver
    finally:
        server.stop(grace=None).wait()


@dataclass
class HttpReceiver:
    """The spans that came by OTLP over HTTP, as JSON: name, trace id, parent's span id."""

    endpoint: str = ""
    spans: list[tuple[str, str, str]] = field(default_factory=list)


@contextmanager
def receiving_http() -> Iterator[HttpReceiver]:
    """A receiver on a free port."""
    receiver = HttpReceiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # noqa: N802 - the name is http.server's
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            receiver.spans += [
                (one["name"], one["traceId"].lower(), one.get("parentSpanId", "").lower())
                for resource in body["resourceSpans"]
                for scope in resource["scopeSpans"]
                for one in scope["spans"]
            ]
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Nothing is printed."""

    server = ThreadingHTTPServer((HOST, 0), Handler)
    receiver.endpoint = f"http://{HOST}:{server.server_port}/v1/traces"
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
