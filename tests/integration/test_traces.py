"""One trace per request, from its producer to the count of its verdict, and JSON log lines with its id."""

import asyncio
import json
import os
import signal
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from judgestream.adapters.otel.tracing import OtelTracer
from judgestream.adapters.triton.judge import TritonJudge
from judgestream.adapters.triton.traces import trace_arguments
from judgestream.contracts.topics import REQUESTS, VERDICTS
from judgestream.core.probe import known_good
from judgestream.local.ports import free_port
from judgestream.settings import Telemetry
from judgestream.telemetry.spans import Kind
from judgestream.template_files import template_of
from judgestream.v1.judging_pb2 import JudgeRequest, Verdict
from tests.integration.cluster import (
    Cluster,
    await_partitions,
    instant_triton,
    pairs,
    start_worker,
    wait,
)
from tests.integration.otlp import ReceivedSpan, Receiver, receiving, receiving_http

pytestmark = pytest.mark.integration

PROCESS, SEND = "process judge.requests.v1", "send judge.verdicts.v1"
COUNT = "process judge.verdicts.v1"
ASK = "text_completion instant"
PRODUCER_SPAN = "b7ad6b7169203331"


def trace_id(k: int) -> str:
    return f"{k + 1:032x}"


def send(cluster: Cluster, requests: list[JudgeRequest], *, first: int, flag: str = "01") -> None:
    """Publish requests whose producer has a trace for each: `trace_id` of `first` and the following."""
    producer = cluster.producer()
    for k, one in enumerate(requests, first):
        parent = f"00-{trace_id(k)}-{PRODUCER_SPAN}-{flag}".encode()
        producer.send(
            REQUESTS.name,
            one.SerializeToString(),
            one.request_id.encode(),
            headers=[("traceparent", parent), ("tracestate", b"vendor=1")],
        )
    producer.flush(30)
    producer.close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as one:
        yield one


def log_lines(folder: Path) -> list[dict[str, Any]]:
    """Every line of the worker's log. One that is not JSON fails the test."""
    text = (folder / "judging-0.log").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def calls_in_flight(port: int) -> float:
    """Calls to Triton, as the worker's metrics show them."""
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as page:  # noqa: S310 - our worker
        text = page.read().decode()
    lines = [line for line in text.splitlines() if line.startswith("judgestream_triton_inflight")]
    return sum(float(line.split()[-1]) for line in lines)


def by_trace(spans: list[ReceivedSpan]) -> dict[str, dict[str, list[ReceivedSpan]]]:
    """Trace id -> name -> spans."""
    found: dict[str, dict[str, list[ReceivedSpan]]] = defaultdict(lambda: defaultdict(list))
    for span in spans:
        found[span.trace_id][span.name].append(span)
    return found


def check_whole(trace: dict[str, list[ReceivedSpan]], request_id: str, parent: str) -> None:
    """A trace of a request that was answered at once."""
    assert {name: len(spans) for name, spans in trace.items()} == {
        PROCESS: 1,
        ASK: 1,
        SEND: 1,
        COUNT: 1,
    }
    (process,), (ask,), (sent,), (counted,) = (trace[one] for one in (PROCESS, ASK, SEND, COUNT))
    assert (process.kind, ask.kind, sent.kind) == ("consumer", "client", "producer")
    assert process.parent == parent
    assert ask.parent == sent.parent == process.span_id
    assert not any(span.failed or span.links for span in (process, ask, sent, counted))
    assert process.service == "judgestream-judging"
    told = process.attributes
    assert told["messaging.system"] == "kafka" and told["messaging.operation.type"] == "process"
    assert told["messaging.destination.name"] == REQUESTS.name
    assert told["messaging.consumer.group.name"] == "judgestream-judging"
    assert told["messaging.kafka.offset"] >= 0
    assert told["judgestream.request_id"] == request_id
    assert told["judgestream.outcome"] == "scored"
    assert ask.attributes["gen_ai.operation.name"] == "text_completion"
    assert ask.attributes["gen_ai.request.model"] == "instant"
    assert ask.attributes["judgestream.passes"] == ["straight", "swapped"]
    tokens = ask.attributes["judgestream.pass_input_tokens"]
    assert sum(tokens) == ask.attributes["gen_ai.usage.input_tokens"] > 0
    assert sent.attributes["messaging.destination.name"] == VERDICTS.name
    assert (counted.service, counted.kind) == ("judgestream-bias", "consumer")
    assert counted.parent == sent.span_id
    assert counted.attributes["judgestream.request_id"] == request_id
    assert counted.attributes["judgestream.outcome"] == "fresh"


def test_each_request_is_one_trace_from_its_producer_to_its_verdict(
    cluster: Cluster, receiver: Receiver
) -> None:
    cluster.more |= {
        "telemetry__endpoint": receiver.endpoint,
        "telemetry__sample_ratio": 1.0,
        "worker__log_format": "json",
    }
    bias = start_worker("bias", 0, folder=cluster.folder, env=cluster.environment())
    cluster.workers["bias-0"] = bias
    cluster.work(worker__metrics_port=(port := free_port()))
    await_partitions(bias)
    send(cluster, traced := pairs(10, "traced"), first=0)
    plain = cluster.submit(pairs(10, "plain"))
    send(cluster, unsampled := pairs(1, "unsampled"), first=100, flag="00")
    bad = JudgeRequest(request_id="bad", question="no candidates")
    send(cluster, [bad], first=200)
    ids = [one.request_id for one in traced + unsampled] + plain
    cluster.wait_verdicts([*ids, "bad"], seconds=30)

    send(cluster, pairs(1, "retried", sleep_ms=3000), first=300)
    wait(lambda: calls_in_flight(port) == 1, what="the judge to be asked", seconds=15)
    triton = cluster.triton.process
    assert triton is not None
    os.kill(triton.pid, signal.SIGKILL)
    cluster.triton.stop()
    cluster.triton.start()
    cluster.wait_verdicts(["retried-0"], seconds=30)

    check_log(cluster)  # a worker that is started again begins a new one
    wait(
        lambda: (
            trace_id(300) in {one.trace_id for one in receiver.spans if one.name == PROCESS}
            and trace_id(300) in {one.trace_id for one in receiver.events}
        ),
        what="all that a killed worker would lose to be exported",
        seconds=10,
    )
    send(cluster, pairs(1, "again", sleep_ms=1500), first=400)
    wait(lambda: calls_in_flight(port) == 1, what="the judge to be asked", seconds=15)
    cluster.kill("judging-0")
    worker = cluster.work(worker__metrics_port=port)
    cluster.wait_verdicts(["again-0"], seconds=30)
    worker.stop()
    counted = 10 + 10 + 3
    wait(
        lambda: [one.name for one in receiver.spans].count(COUNT) == counted,
        what="all traced verdicts to be counted",
        seconds=20,
    )

    traces = by_trace(receiver.spans)
    assert len(traces) == 10 + 10 + 3
    requests = {
        span.attributes["judgestream.request_id"]: trace
        for trace, named in traces.items()
        for span in named[PROCESS]
    }
    for k, one in enumerate(traced):
        assert requests[one.request_id] == trace_id(k)
        check_whole(traces[trace_id(k)], one.request_id, PRODUCER_SPAN)
    for name in plain:
        check_whole(traces[requests[name]], name, "")

    # its offset may not have been committed before the kill: then it came again, as a duplicate
    retried = traces[trace_id(300)][PROCESS][0]
    asked = traces[trace_id(300)][ASK]
    assert len(asked) >= 2 and {span.parent for span in asked} == {retried.span_id}
    failed = [span for span in asked if span.failed]
    assert failed and failed[0].attributes["error.type"] == retried.events["retry"]["error.type"]
    assert not retried.failed and retried.seconds > 3

    (again,) = traces[trace_id(400)][PROCESS]
    assert again.attributes["judgestream.redelivered"] is True and not again.failed
    ((linked_trace, linked_span),) = again.links
    assert linked_trace == trace_id(400)
    assert linked_span not in {one.span_id for one in receiver.spans}, "the killed worker sent none"

    (given_up,) = traces[trace_id(200)][PROCESS]
    assert given_up.failed and given_up.attributes["error.type"] == "invalid_request"
    assert len(traces[trace_id(200)]["send judge.dlq.v1"]) == 1

    check_events(
        receiver, traces, [*(one.request_id for one in traced), *plain, "retried-0", "again-0"]
    )
    check_headers(cluster, traces, requests)
    assert {line["service.name"] for line in log_lines(cluster.folder)} == {"judgestream-judging"}


def check_events(
    receiver: Receiver, traces: dict[str, dict[str, list[ReceivedSpan]]], scored: list[str]
) -> None:
    """One evaluation event per verdict, at the span of its request."""
    events = {one.attributes["judgestream.request_id"]: one for one in receiver.events}
    assert len(receiver.events) == len(events) == len(scored) + 1
    for name in scored:
        event = events[name]
        (process,) = traces[event.trace_id][PROCESS]
        assert event.name == "gen_ai.evaluation.result" and event.span_id == process.span_id
        assert event.attributes["gen_ai.evaluation.name"] == "pairwise"
        assert event.attributes["gen_ai.evaluation.score.label"]
        assert "error.type" not in event.attributes
    assert events["bad"].attributes["error.type"] == "invalid_request"


def check_headers(
    cluster: Cluster,
    traces: dict[str, dict[str, list[ReceivedSpan]]],
    requests: dict[str, str],
) -> None:
    """The verdict's header names the span that sent it; what is not traced passes its header on."""
    seen = 0
    for _, record in cluster.records(VERDICTS):
        name = Verdict.FromString(record.value).request_id
        headers = dict(record.headers)
        _, trace, span, flag = headers["traceparent"].decode().split("-")
        if name == "unsampled-0":
            assert (trace, span, flag) == (trace_id(100), PRODUCER_SPAN, "00")
            continue
        (sent,) = traces[requests[name]][SEND]
        assert (trace, span) == (requests[name], sent.span_id)
        assert int(flag, 16) & 1, (
            "sampled; a trace that begins here also says that its id is random"
        )
        assert headers.get("tracestate") == (None if "plain" in name else b"vendor=1")
        seen += 1
    assert seen == 23


def check_log(cluster: Cluster) -> None:
    """The log of the worker so far."""
    lines = log_lines(cluster.folder)
    assert {line["service.name"] for line in lines} == {"judgestream-judging"}
    (letter,) = [line for line in lines if line["message"].startswith("dead letter")]
    assert letter["request_id"] == "bad" and letter["trace_id"] == trace_id(200)
    assert letter["topic"] == REQUESTS.name and letter["span_id"]
    about = [line for line in lines if line.get("request_id") == "retried-0"]
    assert {line["trace_id"] for line in about} == {trace_id(300)}


def test_triton_continues_the_trace_of_a_call_and_traces_no_other(tmp_path: Path) -> None:
    with receiving() as ours, receiving_http() as theirs:
        tracer = OtelTracer(
            Telemetry(endpoint=ours.endpoint),
            service="judgestream-judging",
            slot=0,
            version="1",
            lost=lambda signal, count: None,
        )
        with instant_triton(tmp_path, extra_arguments=trace_arguments(theirs.endpoint)) as triton:
            asyncio.run(ask(triton.grpc_url, tracer))
            wait(lambda: len(theirs.spans) >= 3, what="the spans of Triton", seconds=30)
        tracer.close()
    (asked,) = [span for span in ours.spans if span.name == ASK]
    spans = {name: (trace, parent) for name, trace, parent in theirs.spans}
    assert len(spans) == len(theirs.spans) == 3
    assert spans["InferRequest"] == (trace_id(0), asked.span_id)
    assert {trace for trace, _ in spans.values()} == {trace_id(0)}


async def ask(address: str, tracer: OtelTracer) -> None:
    """Two calls of the judge: one without a trace, one in a producer's trace."""
    judge = await TritonJudge.connect(address, "instant", deadline_s=10)
    parent = [("traceparent", f"00-{trace_id(0)}-{PRODUCER_SPAN}-01".encode())]
    await judge.ask(known_good(template_of(judge.release)))
    with tracer.begin(PROCESS, Kind.CONSUMER, parent=parent, started_ns=None):
        await judge.ask(known_good(template_of(judge.release)))
    await judge.close()
