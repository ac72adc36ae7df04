"""The spans of requests that are given up, come twice, or are judged in shadow, as a collector gets them."""

import json
from dataclasses import dataclass

import pytest

from judgestream.apps.worker.offset_tracker import Abandoned
from judgestream.contracts.events import header
from judgestream.core.errors import JudgeOverloaded
from judgestream.telemetry.handled import Handled, handle
from tests.apps.judging.test_request import TRACE, Bench, FakePublished, request
from tests.apps.judging.test_shadow import ALL_IN_SHADOW, Worker
from tests.traced import Traces

SPAN = TRACE.decode().split("-")[2]
PROCESS = "process judge.requests.v1"


def test_a_dead_letter_belongs_to_the_trace_and_its_span_says_why(traces: Traces) -> None:
    bench = Bench()
    bench.handle(request(candidates=[]), ("traceparent", TRACE))
    letter, verdict, process = traces.spans()
    assert (letter.name, verdict.name) == ("send judge.dlq.v1", "send judge.verdicts.v1")
    assert process.name == PROCESS and process.parent == SPAN
    assert process.failed and process.attributes["error.type"] == "invalid_request"
    assert letter.parent == verdict.parent == process.span_id
    sent = [
        header(headers, "traceparent").split("-")[2] for _, _, _, headers in bench.topics.records
    ]
    assert sent == [letter.span_id, verdict.span_id]


def test_a_record_that_comes_again_is_a_second_span_of_the_trace(traces: Traces) -> None:
    bench = Bench()
    for _ in range(2):
        bench.handle(request(), ("traceparent", TRACE))
    first, again = (span for span in traces.spans() if span.name == PROCESS)
    assert first.trace_id == again.trace_id and first.parent == again.parent == SPAN
    assert first.attributes["judgestream.outcome"] == "scored"
    assert again.attributes["judgestream.outcome"] == "duplicate"
    assert again.attributes["judgestream.redelivered"] is True
    assert first.links == [] and again.links == [(first.trace_id, first.span_id)]


@dataclass
class CountedWrites(FakePublished):
    awaited: int = 0

    async def write(self, key: str, note: str) -> None:
        self.awaited += 1
        await super().write(key, note)


async def test_an_interrupted_attempt_is_linked_by_the_worker_that_gets_the_record_next(
    traces: Traces,
) -> None:
    """Without a `traceparent`, each attempt is a separate trace: the link alone joins them."""
    bench = Bench(JudgeOverloaded("full"))
    bench.published = published = CountedWrites()
    bench.restart()

    async def abandoning(seconds: float) -> None:
        raise Abandoned

    with pytest.raises(Abandoned):
        await bench.requests.handle(bench.record(request()), abandoning)
    bench.restart()
    await bench.requests.handle(bench.record(request()), abandoning)
    given_up, judged = (span for span in traces.spans() if span.name == PROCESS)
    assert given_up.failed and given_up.attributes["error.type"] == "Abandoned"
    assert judged.attributes["judgestream.outcome"] == "scored"
    assert judged.attributes["judgestream.redelivered"] is True
    assert judged.trace_id != given_up.trace_id
    assert given_up.links == [] and judged.links == [(given_up.trace_id, given_up.span_id)]
    assert published.awaited == 0, "the span travels in notes that are written anyway"


async def test_what_is_not_traced_adds_nothing_to_the_memory() -> None:
    bench = Bench()
    await bench.requests.handle(bench.record(request(), ("traceparent", TRACE)), bench.pause)
    (note,) = bench.published.ids.values()
    assert [len(row) for row in json.loads(note)] == [4]


async def test_shadow_judgements_are_spans_of_the_same_trace_marked_as_such(traces: Traces) -> None:
    async with Worker(ALL_IN_SHADOW) as worker:
        await worker.handle("r1")
    sent, process = (
        span for span in traces.spans() if span.name in (PROCESS, "send judge.shadow.v1")
    )
    assert process.attributes["judgestream.shadow"] is True
    assert process.attributes["judgestream.release"] == "B"
    assert sent.parent == process.span_id


async def test_a_shadow_span_links_an_earlier_attempt_once(traces: Traces) -> None:
    async with Worker(ALL_IN_SHADOW, probe_share=1.0) as worker:
        for _ in range(2):
            await worker.handle("r1")
    first, again = (span for span in traces.spans() if span.name == PROCESS)
    assert again.attributes["judgestream.redelivered"] is True
    assert first.links == [] and again.links == [(first.trace_id, first.span_id)]


def test_a_request_that_is_not_traced_still_names_its_trace_in_log_lines() -> None:
    bench = Bench()
    ids = handle(Handled(topic="judge.requests.v1", partition=3, offset=41))
    bench.handle(request(), ("traceparent", TRACE))
    assert (ids.request_id, ids.trace_id) == ("r1", TRACE.decode().split("-")[1])
    assert ids.verdict_id == bench.topics.verdicts()[0].verdict_id and not ids.span_id
    assert header(bench.topics.records[0][3], "traceparent") == TRACE.decode()
