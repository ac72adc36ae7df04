"""The trace that a client passes on: that of the program's running OpenTelemetry span."""

import asyncio
import subprocess
import sys
from collections.abc import Sequence

import pytest
from opentelemetry import trace

from judgestream import aio
from judgestream.client import pair
from judgestream.client.running_trace import current_trace
from judgestream.contracts.events import Header
from judgestream.core.types import Request
from tests.paths import environment

SPAN = trace.NonRecordingSpan(
    trace.SpanContext(
        trace_id=0x0AF7651916CD43DD8448EB211C80319C,
        span_id=0xB7AD6B7169203331,
        is_remote=False,
        trace_flags=trace.TraceFlags(trace.TraceFlags.SAMPLED),
        trace_state=trace.TraceState([("vendor", "1")]),
    )
)
HEADERS = [
    ("traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
    ("tracestate", b"vendor=1"),
]


def test_the_running_span_becomes_headers() -> None:
    with trace.use_span(SPAN):
        assert current_trace() == HEADERS
    assert current_trace() == []


def test_a_program_without_opentelemetry_sends_none_and_imports_none() -> None:
    code = (
        "import sys; from judgestream.client.running_trace import current_trace;"
        "print(current_trace(), 'opentelemetry' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment(),
        check=True,
        timeout=60,
        capture_output=True,
        text=True,
    )
    assert done.stdout == "() False\n"


class FakeProducer:
    """Takes the trace where the real producer does: in the thread of the calls."""

    def __init__(self) -> None:
        self.traces: list[Sequence[Header]] = []

    def submit(self, request: Request, *, trace: Sequence[Header] | None = None) -> None:
        self.traces.append(current_trace() if trace is None else trace)

    def __exit__(self, *details: object) -> None:
        """Nothing is open."""


def test_an_asyncio_program_passes_the_span_of_the_calling_task(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fake = FakeProducer()
    monkeypatch.setattr("judgestream.client.Producer", lambda *_, **__: fake)

    async def run() -> None:
        async with aio.Producer() as producer:
            with trace.use_span(SPAN):
                await producer.submit(pair("q", "a", "b"))
            await producer.submit(pair("q", "a", "b"))
            await producer.submit(pair("q", "a", "b"), trace=HEADERS[:1])

    asyncio.run(run())
    assert fake.traces == [HEADERS, [], HEADERS[:1]]
