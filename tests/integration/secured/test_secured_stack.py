"""1,000 requests through a pipeline with TLS and logins everywhere, while all certificates are renewed."""

import json
import os
import re
from collections import Counter
from pathlib import Path
from urllib.request import urlopen

import pytest

from judgestream.adapters.kafka.publishing import RecordPublisher
from judgestream.adapters.rollout.errors import RolloutRefused
from judgestream.contracts.events import header
from judgestream.contracts.topics import (
    ALARMS,
    BIAS,
    DEAD_LETTERS,
    PROBES,
    REQUESTS,
    ROLLOUTS,
    SHADOW,
    TOPICS,
)
from judgestream.dashboards import DASHBOARDS
from judgestream.v1.bias_pb2 import BiasReport
from judgestream.v1.judging_pb2 import JudgeRequest, Verdict
from tests.deploy.compose import DEPLOY
from tests.integration.cluster import INSTANT, wait
from tests.integration.otlp import ReceivedSpan
from tests.integration.prometheus_server import Prometheus, filled, without_data
from tests.integration.rollout_scenario import CANDIDATE
from tests.integration.secured.canaries import files_with, titles_with
from tests.integration.secured.load import TRACED, trace_of
from tests.integration.secured.scenario import COUNT, INFERENCES, Proof, everything
from tests.integration.secured.stack import MOVER
from tests.integration.test_traces import ASK, PRODUCER_SPAN, SEND, by_trace, check_whole, trace_id
from tests.integration.test_traces import COUNT as COUNTED

pytestmark = pytest.mark.integration

PIPELINE = ("judgestream-judging", "judgestream-bias")
"""The services that take part in the trace of a request."""
KAFKA_INDEXES = (".index", ".timeindex")
"""Large and empty: Kafka allocates them in advance."""


def test_every_request_has_one_verdict_at_its_first_attempt(proof: Proof) -> None:
    verdicts = proof.readings.verdicts
    assert len(verdicts) == len(proof.readings.records) == COUNT
    assert {one.request_id for one in verdicts} == set(proof.ids)
    assert {(one.status, one.attempts, len(one.passes)) for one in verdicts} == {
        (Verdict.STATUS_SCORED, 1, 2)
    }
    assert Counter(one.release for one in verdicts).keys() == {INSTANT, CANDIDATE}
    assert everything(proof.stack, DEAD_LETTERS) == []


def test_the_bias_reports_count_each_verdict_once(proof: Proof) -> None:
    def counted() -> int:
        reports = [BiasReport.FromString(one.value) for one in everything(proof.stack, BIAS)]
        newest = {one.report_id: one for one in sorted(reports, key=lambda one: one.revision)}
        return sum(one.counts["n"] for one in newest.values())

    wait(lambda: counted() >= COUNT, what=f"reports on {COUNT} verdicts", seconds=20)
    assert counted() == COUNT


def test_each_service_wrote_what_its_row_of_the_table_of_users_allows(proof: Proof) -> None:
    written = (SHADOW, PROBES, BIAS, ALARMS, ROLLOUTS)
    found = {record.topic for record in everything(proof.stack, *written)}
    assert found == {topic.name for topic in written}
    for name, process in proof.stack.processes.items():
        process.check()
        log = (proof.stack.folder / f"{name}.log").read_text()
        assert "Authorization" not in log and "may not" not in log and "lacks" not in log, name


def test_the_move_is_recorded_with_the_certificate_of_its_author(proof: Proof) -> None:
    with proof.stack.calls("judging") as calls:
        state = calls.get()
        with pytest.raises(RolloutRefused, match=r"rollout\.movers does not allow .*judging"):
            calls.move("rollback", by="judging")
        assert calls.get().revision == state.revision
    made = {one.action: one.by for one in state.changes}
    assert made["promote"] == made["shadow"] == f"ana (certificate {MOVER})"


def test_a_request_is_one_trace_from_its_producer_to_its_verdict(proof: Proof) -> None:
    def traces() -> dict[str, dict[str, list[ReceivedSpan]]]:
        return by_trace([one for one in proof.stack.receiver.spans if one.service in PIPELINE])

    wait(lambda: COUNTED in traces()[trace_id(0)], what="the count of a verdict", seconds=20)
    found = traces()
    assert len(found) == COUNT / TRACED
    trace = found[trace_id(0)]
    check_whole(trace, "proof-0", PRODUCER_SPAN)
    (sent,), (asked,) = trace[SEND], trace[ASK]
    (verdict,) = [one for one in proof.readings.records if one.record.key == b"proof-0"]
    assert header(verdict.record.headers, "traceparent") == f"00-{trace_id(0)}-{sent.span_id}-01"
    at_triton = [one for one in proof.stack.triton_spans.spans if one[1] == trace_id(0)]
    assert ("InferRequest", trace_id(0), asked.span_id) in at_triton
    # the receiver's TLS and its key
    assert proof.stack.receiver.endpoint.startswith("https://")
    assert proof.stack.receiver.headers["authorization"] == proof.stack.export_key


def test_the_dashboard_shows_these_numbers(proof: Proof) -> None:
    server = proof.prometheus
    assert totals(server, "Requests finished per second", "outcome") == {"scored": COUNT}
    assert sum(totals(server, "Dead letters per second", "error_class").values()) == 0
    # while the connections to Redis were ended, verdicts waited to be counted
    assert totals(server, "Retries per second", "error_class").keys() <= {"store_unavailable"}
    released = Counter(one.release for one in proof.readings.verdicts)
    p99 = server.value(filled(expression("Time to verdict, p99"), DASHBOARDS["pipeline"]))
    assert 0 < p99 < 60
    assert without_data(server, DASHBOARDS["pipeline"]) == []
    asked = server.value(INFERENCES) - proof.judged_before
    probes = [Verdict.FromString(one.value) for one in everything(proof.stack, PROBES, SHADOW)]
    probed = sum(len(one.passes) for one in probes if one.release == INSTANT)
    assert asked == 2 * released[INSTANT] + probed


def expression(title: str) -> str:
    """The query of the last panel of this title, as Grafana reads it."""
    board = json.loads((DEPLOY / "grafana" / "pipeline.json").read_text(encoding="utf-8"))
    (*_, panel) = [one for one in board["panels"] if one["title"] == title]
    (target,) = panel["targets"]
    text: str = target["expr"]
    return text


def totals(server: Prometheus, title: str, label: str) -> dict[str, float]:
    """What the rates of a panel add up to since the start, by one label. Zeros are left out."""
    query = re.sub(r"rate\((\w+\{[^}]*\})\[\$__rate_interval\]\)", r"\1", expression(title))
    assert "rate(" not in query
    found: Counter[str] = Counter()
    for one in server.query(filled(query, DASHBOARDS["pipeline"])):
        found[one.labels[label]] += one.value  # type: ignore[assignment]
    return {name: value for name, value in found.items() if value}


def test_no_secret_is_in_a_log_a_title_or_a_metrics_page(proof: Proof) -> None:
    stack = proof.stack
    found = files_with(stack.secrets, stack.folder, without=KAFKA_INDEXES)
    assert found and set(found.values()) == {0o600}
    assert {Path(name).parts[0] for name in found} == {stack.secret_files.name}
    assert titles_with(stack.secrets, [os.getpid()]) == []
    pages = ""
    for addresses in stack.jobs.values():
        for address in addresses:
            with urlopen(f"http://{address}/metrics", timeout=10) as page:  # noqa: S310 - ours
                pages += page.read().decode()
    assert "judgestream_requests_total" in pages and "nv_inference_count" in pages
    assert [secret for secret in stack.secrets if secret in pages] == []
    told = repr(everything(stack, *TOPICS.values()))
    assert "proof-0" in told and [secret for secret in stack.secrets if secret in told] == []


def test_a_dead_letter_is_logged_with_the_trace_of_its_request(
    proof: Proof,
) -> None:
    stack = proof.stack
    trace = trace_of(COUNT)
    with RecordPublisher(stack.kafka.by_password("producer")) as producer:
        bad = JudgeRequest(request_id="bad", question="no candidates")
        producer.send(REQUESTS.name, key=b"bad", value=bad.SerializeToString(), headers=trace)
    wait(lambda: bool(everything(stack, DEAD_LETTERS)), what="the dead letter", seconds=20)
    assert [one.key for one in everything(stack, DEAD_LETTERS)] == [b"bad"]
    lines = [
        json.loads(line)
        for name in ("judging-0", "judging-1")
        for line in (stack.folder / f"{name}.log").read_text().splitlines()
    ]
    about = [one for one in lines if one.get("request_id") == "bad"]
    assert about and {one["trace_id"] for one in about} == {trace_id(COUNT)}
