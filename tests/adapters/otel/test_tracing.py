"""Spans and events as an OTLP receiver gets them."""

import time
from datetime import UTC, datetime
from pathlib import Path

import grpc
import pytest
from pydantic import SecretStr

from judgestream.adapters.otel.tracing import CLOSE_S, OtelTracer
from judgestream.core.errors import ConfigurationError, JudgeOverloaded
from judgestream.core.types import CandidateScore, Status, Verdict
from judgestream.settings import Telemetry
from judgestream.telemetry.spans import NOT_RECORDED, Header, Kind, current
from tests.integration.otlp import Receiver, receiving
from tests.integration.secured.certificates import Authority

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
TRACE = "0af7651916cd43dd8448eb211c80319c"
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
VERDICT = Verdict(
    verdict_id="v1",
    request_id="r1",
    mode="pairwise",
    status=Status.SCORED,
    requested_at=NOON,
    judged_at=NOON,
    winner="b",
    p_win=0.25,
    scores=(CandidateScore(candidate_id="a", score=2), CandidateScore(candidate_id="b", score=8)),
    explanation="the second is right",
)


class Bench:
    def __init__(self, receiver: Receiver, **settings: object) -> None:
        self.lost: list[tuple[str, int]] = []
        self.tracer = OtelTracer(
            Telemetry.model_validate({"endpoint": receiver.endpoint, **settings}),
            service="judgestream-judging",
            slot=0,
            version="1",
            lost=lambda signal, count: self.lost.append((signal, count)),
        )


def parent(text: str = PARENT) -> list[Header]:
    return [("traceparent", text.encode())]


def test_a_producers_trace_is_continued_and_passed_on() -> None:
    with receiving() as receiver:
        bench = Bench(receiver)
        state = ("tracestate", b"vendor=1")
        began = time.time_ns() - 3_000_000_000
        with bench.tracer.begin(
            "process t", Kind.CONSUMER, parent=[*parent(), state], started_ns=began
        ) as outer:
            assert current() is outer
            with current().child("send v", Kind.PRODUCER) as inner:
                sent = dict(inner.headers())
        bench.tracer.close()
        assert current() is NOT_RECORDED
        spans = {one.name: one for one in receiver.spans}
    assert spans["process t"].trace_id == spans["send v"].trace_id == TRACE
    assert spans["process t"].parent == "b7ad6b7169203331"
    assert spans["send v"].parent == spans["process t"].span_id == outer.span_id
    assert (spans["process t"].kind, spans["send v"].kind) == ("consumer", "producer")
    assert spans["process t"].service == "judgestream-judging" and spans["process t"].seconds > 3
    assert sent == {
        "traceparent": f"00-{TRACE}-{inner.span_id}-01".encode(),
        "tracestate": b"vendor=1",
    }


def test_an_exception_is_the_status_of_its_span_and_carries_no_password() -> None:
    with receiving() as receiver:
        bench = Bench(receiver)
        with pytest.raises(JudgeOverloaded):
            with bench.tracer.begin("a", Kind.CLIENT, parent=parent(), started_ns=None):
                raise JudgeOverloaded("redis://bob:hunter2@h/0 \ud800")
        bench.tracer.close()
        (span,) = receiver.spans
    assert span.failed and span.attributes == {"error.type": JudgeOverloaded.code}


@pytest.mark.parametrize(
    ("headers", "share", "recorded"),
    [
        ([], 0.0, False),
        ([], 1.0, True),
        (parent(), 0.0, True),
        (parent(PARENT[:-1] + "0"), 1.0, False),
        ([("traceparent", b"\xff")], 0.0, False),
        ([("traceparent", b"cc-" + PARENT[3:].encode() + b"-more")], 0.0, True),
    ],
)
def test_the_producer_decides_and_others_are_drawn(
    headers: list[Header], share: float, recorded: bool
) -> None:
    with receiving() as receiver:
        bench = Bench(receiver, sample_ratio=share)
        with bench.tracer.begin("a", Kind.CONSUMER, parent=headers, started_ns=None) as span:
            assert span.recording is recorded
        bench.tracer.close()
        assert len(receiver.spans) == recorded


def test_rare_work_is_traced_whatever_share_is_drawn() -> None:
    with receiving() as receiver:
        bench = Bench(receiver, sample_ratio=0.0)
        with bench.tracer.begin("a", Kind.INTERNAL, parent=(), started_ns=None, drawn=False):
            pass
        bench.tracer.close()
        assert [one.name for one in receiver.spans] == ["a"]


@pytest.mark.parametrize(
    ("earlier", "linked"),
    [
        (PARENT, [(TRACE, "b7ad6b7169203331")]),
        (PARENT[:-1] + "0", [(TRACE, "b7ad6b7169203331")]),
        ("00-none", []),
        ("", []),
    ],
)
def test_a_span_links_what_well_formed_headers_name(
    earlier: str, linked: list[tuple[str, str]]
) -> None:
    with receiving() as receiver:
        bench = Bench(receiver, sample_ratio=1.0)
        with bench.tracer.begin("a", Kind.CONSUMER, parent=(), started_ns=None) as span:
            for _ in range(2):
                span.link(parent(earlier))
        bench.tracer.close()
        (received,) = receiver.spans
    assert received.links == linked


def test_producers_cannot_make_more_traces_than_the_limit() -> None:
    with receiving() as receiver:
        bench = Bench(receiver, max_traces_per_s=10)
        kept = 0
        for _ in range(200):
            with bench.tracer.begin("a", Kind.CONSUMER, parent=parent(), started_ns=None) as span:
                kept += span.recording
        bench.tracer.close()
        assert 20 <= kept == len(receiver.spans) < 60
        assert len(bench.lost) == 200 - kept and set(bench.lost) == {("traces", 1)}


@pytest.mark.parametrize("explanations", [False, True])
def test_a_verdict_is_an_evaluation_event_in_its_trace(explanations: bool) -> None:
    with receiving() as receiver:
        bench = Bench(receiver, explanations=explanations)
        with bench.tracer.begin("a", Kind.CONSUMER, parent=parent(), started_ns=None) as span:
            span.evaluation(VERDICT)
        bench.tracer.close()
        (event,) = receiver.events
    assert (event.name, event.trace_id) == ("gen_ai.evaluation.result", TRACE)
    assert event.span_id == span.span_id
    assert event.attributes["gen_ai.evaluation.score.label"] == "candidate 2"
    assert ("gen_ai.evaluation.explanation" in event.attributes) is explanations


def test_the_key_of_a_collector_is_sent_and_never_shown() -> None:
    with receiving() as receiver:
        bench = Bench(receiver, headers=SecretStr("Authorization=Bearer hunter2, X-Scope=a=b"))
        with bench.tracer.begin("a", Kind.CONSUMER, parent=parent(), started_ns=None):
            pass
        bench.tracer.close()
    assert receiver.headers["authorization"] == "Bearer hunter2"
    assert receiver.headers["x-scope"] == "a=b"
    assert "hunter2" not in repr(Telemetry(headers=SecretStr("a=hunter2")))


def test_without_a_collector_spans_are_lost_counted_and_hold_nobody_up() -> None:
    bench = Bench(Receiver(endpoint="http://127.0.0.1:1"))
    for _ in range(3):
        with bench.tracer.begin("a", Kind.CONSUMER, parent=parent(), started_ns=None):
            pass
    began = time.monotonic()
    bench.tracer.close()
    assert time.monotonic() - began < CLOSE_S + 1
    deadline = time.monotonic() + 10
    while sum(count for _, count in bench.lost) < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert sum(count for _, count in bench.lost) == 3


def test_an_unreadable_certificate_authority_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="telemetry.ca_file .*none.pem cannot be read"):
        Bench(Receiver(endpoint="https://127.0.0.1:1"), ca_file=tmp_path / "none.pem")


def test_tls_trusts_the_named_authority_only(tmp_path: Path) -> None:
    ours, other = Authority(tmp_path), Authority(tmp_path, name="other")
    server = ours.server()
    pair = (server.key.read_bytes(), server.certificate.read_bytes())
    with receiving(grpc.ssl_server_credentials([pair])) as receiver:
        for authority in (other, ours):
            bench = Bench(receiver, ca_file=authority.file)
            with bench.tracer.begin(
                authority.file.stem, Kind.CONSUMER, parent=parent(), started_ns=None
            ):
                pass
            bench.tracer.close()
        assert [one.name for one in receiver.spans] == ["ca"]
