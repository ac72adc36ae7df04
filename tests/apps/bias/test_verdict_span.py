"""The spans of counted verdicts, as a collector gets them."""

import pytest

from judgestream.adapters.redis.bias_store import Counted
from judgestream.apps.bias import counting
from tests.apps.bias.test_counting import Bench, verdict
from tests.traced import Traces

TRACE, SENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
PARENT = ("traceparent", f"00-{TRACE}-{SENT}-01".encode())
NAME = "process judge.verdicts.v1"


def test_a_counted_verdict_is_a_span_below_the_one_that_sent_it(traces: Traces) -> None:
    for counted in (Counted.FRESH, Counted.LATE, Counted.DUPLICATE):
        Bench(outcome=counted).handle(verdict(), PARENT)
    spans = traces.spans()
    for span, outcome in zip(spans, ("fresh", "late", "duplicate"), strict=True):
        assert (span.name, span.kind, span.trace_id, span.parent) == (NAME, "consumer", TRACE, SENT)
        assert span.attributes["messaging.operation.type"] == "process"
        assert span.attributes["messaging.consumer.group.name"] == "judgestream-bias"
        assert span.attributes["messaging.kafka.offset"] == 2
        assert span.attributes["judgestream.request_id"] == "r1"
        assert span.attributes["judgestream.verdict_id"] == "v1"
        assert span.attributes["judgestream.outcome"] == outcome
        assert not span.failed


def test_it_says_that_redis_was_waited_for(traces: Traces) -> None:
    Bench(failures=2).handle(verdict(), PARENT)
    (span,) = traces.spans()
    assert span.events["retry"] == {"error.type": "store_unavailable"}
    assert span.attributes["judgestream.outcome"] == "fresh" and not span.failed


def test_what_is_not_a_verdict_is_a_failed_span(traces: Traces) -> None:
    Bench().handle(b"\xff", PARENT)
    (span,) = traces.spans()
    assert span.failed and span.attributes["error.type"] == "not_a_verdict"


@pytest.mark.parametrize("headers", [(), (("traceparent", PARENT[1][:-1] + b"0"),)])
def test_a_verdict_on_a_request_that_is_not_traced_has_no_span(
    traces: Traces, headers: tuple[tuple[str, bytes], ...]
) -> None:
    """All others are drawn in these tests, so that it is not for chance."""
    Bench().handle(verdict(), *headers)
    assert traces.spans() == []


def test_without_an_endpoint_the_headers_are_not_even_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(counting, "trace_headers")
    bench = Bench()
    bench.handle(verdict(), PARENT)
    assert len(bench.store.counted) == 1
