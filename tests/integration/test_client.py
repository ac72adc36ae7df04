"""The client side against a real Kafka: topics, publishing, reading, every command that needs a broker."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import pytest
from google.protobuf.message import Message
from typer.testing import CliRunner, Result

from judgestream.adapters.kafka.consuming import Incoming
from judgestream.adapters.kafka.publishing import RecordPublisher, RequestPublisher
from judgestream.adapters.kafka.reading import TopicReader
from judgestream.adapters.kafka.topics import admin, apply, check
from judgestream.apps.cli import doctor, main
from judgestream.apps.cli.dlq.commands import REPLAY_OF
from judgestream.client import JSON, PROTOBUF, Producer, label, pair, read_verdicts
from judgestream.contracts.codecs.labels import label_to_message
from judgestream.contracts.codecs.requests import request_from_message
from judgestream.contracts.codecs.verdicts import verdict_to_message
from judgestream.contracts.events import event_headers, header
from judgestream.contracts.records import Record, dead_letter
from judgestream.contracts.topics import (
    ALARMS,
    BIAS,
    DEAD_LETTERS,
    LABELS,
    PROBES,
    REQUESTS,
    TOPICS,
    VERDICTS,
    Topic,
)
from judgestream.contracts.wire import encode
from judgestream.core.errors import (
    ConfigurationError,
    OversizeRecord,
    UndecodableRecord,
)
from judgestream.core.identity import content_digest, verdict_id
from judgestream.core.known_answers import KNOWN_ANSWERS, probe_request
from judgestream.core.transforms import STRAIGHT, SWAPPED
from judgestream.core.types import (
    PROBE_KEY,
    Candidate,
    CandidateScore,
    PassResult,
    Reading,
    Reply,
    Request,
    Status,
    Style,
    Verdict,
)
from judgestream.local.kafka import KafkaServer
from judgestream.settings import Kafka, Settings
from judgestream.terminal.exit_codes import ExitCode, TimeRanOut
from judgestream.v1.bias_pb2 import BiasReport
from judgestream.v1.judging_pb2 import DeadLetter, JudgeRequest, Label
from judgestream.v1.judging_pb2 import Verdict as VerdictMessage
from tests.integration.cluster import empty, revive, wait

pytestmark = pytest.mark.integration

M = TypeVar("M", bound=Message)
NOW = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)


@pytest.fixture
def kafka(shared_kafka: KafkaServer, monkeypatch: pytest.MonkeyPatch) -> Kafka:
    """A broker with our topics, all of them empty."""
    settings = Kafka(bootstrap=shared_kafka.bootstrap)
    monkeypatch.setenv("JUDGESTREAM_KAFKA__BOOTSTRAP", shared_kafka.bootstrap)
    revive(shared_kafka)
    empty(shared_kafka)
    with closing(admin(settings)) as client:
        apply(client, settings)
    return settings


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def there(kafka: Kafka, topic: Topic, message: type[M]) -> list[Incoming[M]]:
    with TopicReader(kafka, topic, message) as reader:
        return list(reader.read(reader.beginning(), until=reader.end(), deadline_s=20))


def verdict(
    request: Request, *, winner: str, status: Status = Status.SCORED, flipped: bool = False
) -> Verdict:
    """A verdict as the judging worker would publish it."""
    side = {"": 0, request.candidates[0].id: 1, request.candidates[1].id: -1}[winner]
    win, tie, lose = {1: (0.8, 0.1, 0.1), 0: (0.1, 0.8, 0.1), -1: (0.1, 0.1, 0.8)}[side]
    straight = Reading(means=(7.0, 5.0), greedy=(7.0, 5.0), win=win, tie=tie, lose=lose)
    swapped = straight
    if flipped:
        swapped = Reading(means=(5.0, 7.0), greedy=(5.0, 7.0), win=lose, tie=tie, lose=win)
    scored = status is Status.SCORED
    return Verdict(
        verdict_id=verdict_id(request.request_id, "judge-1", request.mode, content_digest(request)),
        content_digest=content_digest(request),
        request_id=request.request_id,
        mode=request.mode,
        status=status,
        requested_at=request.requested_at,
        judged_at=NOW,
        release="judge-1",
        error_class="too_old" if status is Status.FAILED else "",
        winner=winner if scored else "",
        tie=scored and not winner,
        p_win=win if scored else None,
        p_tie=tie if scored else None,
        p_lose=lose if scored else None,
        confidence=0.8 if scored else None,
        flipped=flipped if scored else None,
        scores=tuple(
            CandidateScore(candidate_id=c.id, score=6.0, system=c.system, length=len(c.text))
            for c in request.candidates
        ),
        passes=(
            PassResult(transform=STRAIGHT, reading=straight, reply=Reply(text="")),
            PassResult(transform=SWAPPED, reading=swapped, reply=Reply(text="")),
        )
        if scored
        else (),
        latency_s=0.25,
    )


def publish(kafka: Kafka, *verdicts: Verdict, topic: Topic = VERDICTS) -> None:
    with RecordPublisher(kafka) as publisher:
        for one in verdicts:
            publisher.send(
                topic.name,
                key=one.request_id.encode(),
                value=encode(verdict_to_message(one)),
                headers=event_headers(
                    event_type=topic.event_type,
                    event_id=one.verdict_id,
                    source="test",
                    time=one.judged_at,
                ),
            )


@contextmanager
def judging(kafka: Kafka, judge: Callable[[Request], Verdict | None]) -> Iterator[None]:
    """Someone who reads requests and publishes verdicts, over the real Kafka, while the block runs."""
    stop = threading.Event()
    ready = threading.Event()

    def work() -> None:
        with TopicReader(kafka, REQUESTS, JudgeRequest) as reader:
            reader.seek(reader.end())
            ready.set()
            while not stop.is_set():
                for one in reader.poll(0.1):
                    assert isinstance(one.message, JudgeRequest)
                    found = judge(
                        request_from_message(one.message, one.record.time or datetime.now(UTC))
                    )
                    if found is not None:
                        publish(kafka, found)

    thread = threading.Thread(target=work)
    thread.start()
    assert ready.wait(20)
    try:
        yield
    finally:
        stop.set()
        thread.join(20)


def letter(
    topic: str = REQUESTS.name, value: bytes | None = b'{"x": 1}', offset: int = 7
) -> DeadLetter:
    record = Record(
        topic=topic,
        partition=0,
        offset=offset,
        time=NOW,
        key=b"\xffkey",
        value=value,
        headers=(
            ("content-type", JSON.encode()),
            ("traceparent", b"00-1"),
            ("traceparent", b"\xff"),
        ),
    )
    error = UndecodableRecord("no such field")
    return dead_letter(
        record, error, attempts=1, first_failed_at=NOW, now=NOW, group="g", request_id=""
    )


def set_aside(kafka: Kafka, *letters: DeadLetter) -> None:
    with RecordPublisher(kafka) as publisher:
        for one in letters:
            publisher.send(DEAD_LETTERS.name, key=one.key, value=encode(one), headers=[])


class TestTopics:
    def test_apply_creates_what_is_missing_and_is_then_content(
        self, kafka: Kafka, shared_kafka: KafkaServer
    ) -> None:
        empty(shared_kafka)
        with closing(admin(kafka)) as client:
            assert run("topics", "check").exit_code == ExitCode.NO
            created = run("topics", "apply")
            assert created.exit_code == 0, created.output
            assert created.stdout.count(": created") == len(TOPICS)
            assert check(client) == []
        again = run("topics", "apply", "--format", "json")
        assert (again.exit_code, again.stdout) == (0, "")

    def test_a_difference_is_reported_and_neither_altered_nor_deleted(self, kafka: Kafka) -> None:
        with closing(admin(kafka)) as client:
            client.create_partitions({ALARMS.name: 2})
            wait(
                lambda: run("topics", "check").exit_code == ExitCode.NO,
                what="the broker to tell the new number of partitions",
                seconds=10,
            )
            for command in ("check", "apply"):
                done = run("topics", command)
                assert done.exit_code == ExitCode.NO
                assert f"{ALARMS.name}: partitions is 2, the table says 1" in done.stdout
            assert set(TOPICS) <= set(client.list_topics())

    def test_commands_name_a_missing_topic_and_its_fix(
        self, kafka: Kafka, shared_kafka: KafkaServer
    ) -> None:
        empty(shared_kafka)
        done = run("verdicts", "export")
        assert done.exit_code == ExitCode.USAGE
        assert f"topic {VERDICTS.name} is missing" in done.stderr
        assert "judgestream topics apply" in done.stderr
        with pytest.raises(ConfigurationError, match=f"topic {REQUESTS.name} is missing"):
            with Producer(kafka.model_copy(update={"connect_timeout_s": 1.0})) as producer:
                producer.submit(pair("q", "a", "b"))


class TestPublishingAndReading:
    @pytest.mark.parametrize("content_type", [PROTOBUF, JSON])
    def test_requests_and_labels_come_back_as_they_were(
        self, kafka: Kafka, content_type: str
    ) -> None:
        request = pair("Größe?", "a\n", "b", reference="c", metadata={"k": "v"}, request_id="r-1")
        told = label("r-1", annotator="human-1", winner="2")
        with Producer(kafka, content_type=content_type) as producer:
            producer.submit(request)
            producer.label(told)
            assert producer.flush() == 2
        (found,) = there(kafka, REQUESTS, JudgeRequest)
        assert isinstance(found.message, JudgeRequest)
        assert request_from_message(found.message, NOW) == request
        assert found.record.key == b"r-1"
        heads = {name: header(found.record.headers, name) for name in ("ce_id", "ce_type")}
        assert heads == {"ce_id": "r-1", "ce_type": "judge.request.v1"}
        assert header(found.record.headers, "content-type") == content_type
        (found_label,) = there(kafka, LABELS, Label)
        assert isinstance(found_label.message, Label)
        assert (found_label.message.winner, found_label.message.annotator) == ("2", "human-1")

    def test_many_requests_are_all_confirmed_within_bounded_memory(self, kafka: Kafka) -> None:
        with RequestPublisher(kafka) as publisher:
            for k in range(3000):
                publisher.submit(pair("q" * 20_000, "a", "b", request_id=f"r-{k}"))
            assert publisher.flush() == 3000
        ids = {one.record.key for one in there(kafka, REQUESTS, JudgeRequest)}
        assert len(ids) == 3000

    def test_an_oversize_request_is_refused_and_the_producer_continues(self, kafka: Kafka) -> None:
        with Producer(kafka) as producer:
            with pytest.raises(OversizeRecord, match="request 'big' has .* shorten its texts"):
                producer.submit(pair("q", "a" * (1 << 20), "b", request_id="big"))
            producer.submit(pair("q", "a", "b", request_id="small"))
        assert [one.record.key for one in there(kafka, REQUESTS, JudgeRequest)] == [b"small"]

    def test_a_record_that_is_not_a_message_is_a_value_and_the_reading_continues(
        self, kafka: Kafka
    ) -> None:
        request = pair("q", "a", "b", request_id="x")
        with RecordPublisher(kafka) as publisher:
            for value in (b"\xff\xff", b""):
                publisher.send(VERDICTS.name, key=b"x", value=value, headers=[])
        publish(kafka, verdict(request, winner="1"))
        kinds = [type(one.message) for one in there(kafka, VERDICTS, VerdictMessage)]
        assert kinds == [UndecodableRecord, UndecodableRecord, VerdictMessage]
        assert [one.winner for one in read_verdicts(kafka)] == ["1"]
        done = run("verdicts", "tail", "--all")
        assert done.exit_code == 0
        assert done.stderr.count("skipped judge.verdicts.v1[") == 2

    def test_reading_from_a_time_begins_there(self, kafka: Kafka) -> None:
        first, second = (pair("q", "a", "b", request_id=name) for name in ("one", "two"))
        publish(kafka, verdict(first, winner="1"))
        threading.Event().wait(0.05)
        between = datetime.now(UTC)
        publish(kafka, verdict(second, winner="2"))
        assert [v.request_id for v in read_verdicts(kafka, since=between)] == ["two"]
        assert list(read_verdicts(kafka, since=datetime.now(UTC) + timedelta(hours=1))) == []
        assert {v.request_id for v in read_verdicts(kafka)} == {"one", "two"}

    def test_following_ends_at_the_deadline(self, kafka: Kafka) -> None:
        publish(kafka, verdict(pair("q", "a", "b", request_id="r"), winner="1"))
        started = datetime.now(UTC)
        assert len(list(read_verdicts(kafka, follow=True, timeout_s=1.5))) == 1
        assert 1.0 < (datetime.now(UTC) - started).total_seconds() < 6.0


ROWS = {
    "judgestream": {
        "requestId": "r",
        "question": "q",
        "candidates": [{"text": "a"}, {"text": "b"}],
    },
    "judgelm": {
        "question_id": 1,
        "question_body": "q",
        "answer1_body": "a",
        "answer2_body": "b",
        "score": [8, 4],
    },
    "trl": {"id": "r", "prompt": "q", "chosen": "a", "rejected": "b"},
    "openai": {"id": "r", "messages": [{"role": "user", "content": "q"}], "choices": ["a", "b"]},
    "pandalm": {
        "instruction": "q",
        "input": "",
        "response1": "a",
        "response2": False,
        "annotator1": 1,
        "annotator2": 2,
        "annotator3": 1,
    },
}
LABELS_OF = {"judgelm": 1, "trl": 1, "pandalm": 3}


class TestSubmit:
    @pytest.mark.parametrize("form", ROWS)
    def test_every_format_reaches_the_topics(self, kafka: Kafka, tmp_path: Path, form: str) -> None:
        path = tmp_path / "rows"
        path.write_text(json.dumps([ROWS[form]]))
        done = run("submit", str(path), "--format", "json", "--content-type", "json")
        assert done.exit_code == 0, done.output
        assert json.loads(done.stdout) == {"requests": 1, "labels": LABELS_OF.get(form, 0)}
        (found,) = there(kafka, REQUESTS, JudgeRequest)
        assert isinstance(found.message, JudgeRequest)
        assert found.message.question == "q"
        assert sorted(c.text for c in found.message.candidates)[-1:] == (
            ["a"] if form == "pandalm" else ["b"]
        )
        labels = there(kafka, LABELS, Label)
        assert len(labels) == LABELS_OF.get(form, 0)
        assert all(one.record.key == found.record.key for one in labels)

    def test_the_published_pandalm_file_goes_through_whole(
        self, kafka: Kafka, shared_data: Path
    ) -> None:
        path = shared_data / "pandalm" / "testset-v1.json"
        if not path.is_file():
            pytest.skip(f"{path} is not there")
        done = run("submit", str(path), "--from", "pandalm", "--format", "json")
        assert done.exit_code == 0, done.output
        assert json.loads(done.stdout) == {"requests": 999, "labels": 2997}
        assert len({one.record.key for one in there(kafka, REQUESTS, JudgeRequest)}) == 999

    def test_a_bad_record_stops_everything_before_anything_is_sent(
        self, kafka: Kafka, tmp_path: Path
    ) -> None:
        path = tmp_path / "rows"
        path.write_text("\n".join(json.dumps(row) for row in (ROWS["trl"], {"prompt": "x"})))
        assert run("submit", str(path)).exit_code == ExitCode.USAGE
        assert there(kafka, REQUESTS, JudgeRequest) == []

    def test_wait_follows_its_own_requests_and_sums_them_up(
        self, kafka: Kafka, tmp_path: Path
    ) -> None:
        path = _pairs(tmp_path, 4)
        winners = {"r0": "1", "r1": "2", "r2": "", "r3": "1"}
        publish(kafka, verdict(pair("old", "a", "b", request_id="other"), winner="1"))

        def judge(request: Request) -> Verdict:
            name = request.request_id
            return verdict(request, winner=winners[name], flipped=name == "r3")

        with judging(kafka, judge):
            done = run("submit", str(path), "--wait", "--timeout", "60", "--format", "json")
        assert done.exit_code == 0, done.output
        found = json.loads(done.stdout)
        wanted = {"scored": 4, "first_won": 2, "second_won": 1, "ties": 1, "flips": 1}
        assert {name: found[name] for name in wanted} == wanted
        assert found["no_verdict"] == 0 and found["median_latency_s"] == 0.25

    def test_wait_names_what_has_no_verdict_at_the_deadline(
        self, kafka: Kafka, tmp_path: Path
    ) -> None:
        path = _pairs(tmp_path, 2)
        with judging(kafka, lambda r: verdict(r, winner="1") if r.request_id == "r0" else None):
            done = run("submit", str(path), "--wait", "--timeout", "3")
        assert done.exit_code == ExitCode.TIMEOUT
        assert "1 of 2 requests have no verdict after 3 s (r1)" in done.stderr

    def test_a_failed_or_dead_lettered_request_makes_the_exit_code_one(
        self, kafka: Kafka, tmp_path: Path
    ) -> None:
        path = _pairs(tmp_path, 2)
        aside = letter()
        aside.key, aside.request_id = b"r1", "r1"

        def judge(request: Request) -> Verdict | None:
            if request.request_id == "r1":
                set_aside(kafka, aside)
                return None
            return verdict(request, winner="", status=Status.FAILED)

        with judging(kafka, judge):
            done = run("submit", str(path), "--wait", "--timeout", "60", "--format", "json")
        assert done.exit_code == ExitCode.NO, done.output
        assert json.loads(done.stdout)["failed"] == 2
        assert "failed, undecodable: no such field (r1)" in done.stderr

    def test_requests_that_were_judged_before_are_found_and_said(
        self, kafka: Kafka, tmp_path: Path
    ) -> None:
        path = _pairs(tmp_path, 1)
        publish(kafka, verdict(pair("q", "a", "b", request_id="r0"), winner="2"))
        done = run("submit", str(path), "--wait", "--timeout", "40", "--format", "json")
        assert done.exit_code == 0, done.output
        assert json.loads(done.stdout)["judged_before"] == 1
        assert "had been judged before" in done.stderr


def _pairs(folder: Path, count: int) -> Path:
    path = folder / "pairs.jsonl"
    own = ROWS["judgestream"]
    assert isinstance(own, dict)
    rows = [{**own, "requestId": f"r{k}"} for k in range(count)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


class TestVerdicts:
    def test_export_writes_one_verdict_per_judgement(self, kafka: Kafka) -> None:
        one, two = (pair("q", "a", "b", request_id=name) for name in ("one", "two"))
        failed = verdict(one, winner="", status=Status.FAILED)
        scored, other = verdict(one, winner="1"), verdict(two, winner="2")
        publish(kafka, failed, scored, scored, other, other)
        done = run("verdicts", "export")
        rows = [json.loads(text) for text in done.stdout.splitlines()]
        assert sorted((row["requestId"], row["winner"]) for row in rows) == [
            ("one", "1"),
            ("two", "2"),
        ]
        assert run("verdicts", "export", "--status", "failed").stdout == ""
        assert run("verdicts", "export", "--release", "other").stdout == ""
        text = run("verdicts", "tail", "--all", "-n", "1").stdout
        assert text.count("\n") == 1

    def test_trl_rows_join_the_texts_and_leave_ties_out(self, kafka: Kafka) -> None:
        one, tied, gone = (pair("q", "a", "b", request_id=name) for name in ("one", "tied", "gone"))
        with Producer(kafka) as producer:
            producer.submit(one)
            producer.submit(one)
            producer.submit(tied)
        publish(
            kafka, verdict(one, winner="2"), verdict(tied, winner=""), verdict(gone, winner="1")
        )
        done = run("verdicts", "export", "--as", "trl")
        (row,) = [json.loads(text) for text in done.stdout.splitlines()]
        assert (row["prompt"], row["chosen"], row["rejected"]) == ("q", "b", "a")
        assert "1 rows; left out: 1 verdicts without a winner, 1 whose request" in done.stderr

    def test_quality_is_corrected_by_sampled_labels(self, kafka: Kafka) -> None:
        """The judge prefers `one` in 3 of 4, the annotators in every second request."""
        answers = (
            Candidate(id="1", text="a", system="one"),
            Candidate(id="2", text="b", system="two"),
        )
        requests = [
            pair("q", *answers, request_id=f"r{k}", metadata={"tenant": "ab"[k % 2]})
            for k in range(80)
        ]
        publish(
            kafka,
            *(
                replace(
                    verdict(one, winner="1" if k % 4 else "2"),
                    metadata=one.metadata,
                    prompt_digest=str(k),
                )
                for k, one in enumerate(requests)
            ),
        )
        with Producer(kafka) as producer:
            for k in range(40):
                producer.label(
                    label(
                        f"r{k}",
                        annotator="human",
                        winner="1" if k % 4 > 1 else "2",
                        sampling_probability=0.5,
                    )
                )
        done = run("quality", "--format", "json")
        assert done.exit_code == 0, done.output
        (found,) = [json.loads(text) for text in done.stdout.splitlines()]
        rate = next(one for one in found["systems"] if one["system"] == "one")["win_rate"]
        assert (rate["n"], rate["labelled"], rate["weighted"]) == (80, 40, True)
        assert rate["judged"]["value"] == 0.75
        own = rate["prediction_powered"]
        assert own["low"] < 0.5 < own["high"] < 0.75 and own["value"] == pytest.approx(0.5)
        assert rate["rogan_gladen"]["value"] == pytest.approx(0.5)
        by_tenant = run("quality", "--segment", "tenant", "--format", "json")
        assert [json.loads(text)["tenant"] for text in by_tenant.stdout.splitlines()] == ["a", "b"]
        text = run("quality").stdout
        assert "Rogan-Gladen" in text and "one, win rate" in text
        agreement = run("agreement", "--segment", "tenant", "--format", "json").stdout
        assert [json.loads(text)["segment"] for text in agreement.splitlines()] == ["a", "b"]
        both = run("agreement", "--segment", "tenant", "--compare", "judge-1")
        assert both.exit_code == ExitCode.USAGE
        assert run("quality", "--annotator", "nobody").exit_code == ExitCode.NO

    def test_savings_by_uncertainty_are_measured_on_both_orders(self, kafka: Kafka) -> None:
        """Every fourth pair is flipped, and its first order says .8: only a bound above .8 sees it."""
        requests = [pair(f"q{k}", "a", "b", request_id=f"r{k}") for k in range(20)]
        publish(
            kafka,
            *(verdict(one, winner="1", flipped=k % 4 == 0) for k, one in enumerate(requests)),
            *(
                replace(verdict(one, winner="2"), release="large", verdict_id=f"l{k}")
                for k, one in enumerate(requests)
            ),
        )
        ambiguous = run("savings")
        assert ambiguous.exit_code == ExitCode.USAGE and "judge-1, large" in ambiguous.stderr
        bounds = ("--second-order-below", "0.7", "--second-order-below", "0.9")
        done = run("savings", "--release", "judge-1", *bounds, "--format", "json")
        assert done.exit_code == 0, done.output
        low, high = [json.loads(text) for text in done.stdout.splitlines()]
        assert (low["n"], low["unit"], low["asked"]) == (20, "passes", {"nothing": 20})
        assert (low["saved"]["value"], low["changed"]["value"]) == (0.5, 0.25)
        assert (high["saved"]["value"], high["changed"]["value"]) == (0.0, 0.0)
        with Producer(kafka) as producer:
            for k in range(8):
                producer.label(label(f"r{k}", annotator="human", winner="1"))
        text = run("savings", "--release", "judge-1", *bounds).stdout
        assert "agreement, points" in text and "no pair has a label" not in text
        assert max(map(len, text.splitlines())) <= 80
        other = ("--release-below", "0.5", "--other", "large", "--second-order-below", "0.9")
        asked = json.loads(run("savings", *other, "--format", "json").stdout)
        assert asked["asked"] == {"second_order": 20, "release": 5}
        assert asked["changed"]["value"] == 0.25
        steps = ("--release", "judge-1", "--other", "large", "--cascade-below", "0.7")
        (cascade,) = map(json.loads, run("savings", *steps, "--format", "json").stdout.splitlines())
        assert cascade["asked"] == {"nothing": 15, "release": 5} and cascade["n"] == 20
        assert (cascade["changed"]["value"], cascade["agreement"]["n"]) == (0.75, 8)
        assert "against asking large of every pair" in run("savings", *steps).stdout
        assert run("savings", "--cascade-below", "0.9").exit_code == ExitCode.USAGE
        assert run("savings", "--release-below", "0.5").exit_code == ExitCode.USAGE
        assert run("savings", "--release", "nobody").exit_code == ExitCode.NO

    def test_health_shows_probes_families_templates_and_drift(self, kafka: Kafka) -> None:
        """The judge is of family gpt and prefers gpt-1 always; the annotators every second time."""
        answers = (
            Candidate(id="1", text="The tower opened in 1889 and is tall.", system="gpt-1"),
            Candidate(id="2", text="It was opened in 1889, and it is tall.", system="claude-1"),
        )
        requests = [pair(f"q{k}", *answers, request_id=f"r{k}") for k in range(40)]
        judged = [
            replace(
                verdict(one, winner="1", flipped=k % 5 == 0),
                checkpoint_digest="c" * 64,
                template_id="plain",
                prompt_digest=str(k),
                requested_at=NOW - timedelta(days=k % 2),
            )
            for k, one in enumerate(requests)
        ]
        chatty = [
            replace(one, release="chatty", template_id="chat", verdict_id=f"c{k}")
            for k, one in enumerate(judged)
        ]
        probes = [
            replace(
                verdict(probe.request, winner="" if k % 2 else probe.request.candidates[0].id),
                metadata=probe.request.metadata,
                prompt_digest=str(k),
            )
            for k, one in enumerate(requests)
            if (probe := probe_request(KNOWN_ANSWERS["identical"], one, 0))
        ]
        assert run("health").exit_code == ExitCode.NO
        publish(kafka, *judged, *chatty)
        publish(kafka, *probes, probes[0], topic=PROBES)
        with Producer(kafka) as producer:
            for k in range(40):
                producer.label(label(f"r{k}", annotator="human", winner="12"[k % 2]))
        half_a_day_ago = (NOW - timedelta(hours=12)).isoformat()
        options = ("--judge", "judge-1=gpt-4", "--drift-from", half_a_day_ago)
        done = run("health", *options, "--format", "json")
        assert done.exit_code == 0, done.output
        found = json.loads(done.stdout)
        (known,) = found["known_answers"]
        assert (known["name"], known["probes"], known["right"]["value"]) == ("identical", 40, 0.5)
        gain = found["self_preference"]["over_labels"]
        assert list(gain) == ["judge-1"] and gain["judge-1"]["value"] == 0.5
        assert gain["judge-1"]["low"] > 0.2
        across = found["self_preference"]["across_judges"]
        assert across["own"] == 40 and across["families"] == ["chatty", "gpt"]
        (same,) = found["templates"]
        assert (same["templates"], same["consistency"]["value"]) == (["chat", "plain"], 1.0)
        position = found["drift"]["judge-1"]["position"]
        assert (position["n"], position["before"], position["drifted"]) == (20, 20, False)
        text = run("health", *options).stdout
        for shown in ("known-answer probes", "self-preference", "equal preferences", "drift"):
            assert shown in text
        assert max(map(len, text.splitlines())) <= 90
        assert run("health", "--judge", "gpt-4").exit_code == ExitCode.USAGE

    def test_the_leaderboard_is_rebuilt_from_the_topic(self, kafka: Kafka) -> None:
        def judged(name: str, winner: str, task: str, probe: bool = False) -> Verdict:
            answers = (
                Candidate(id="1", text="# a", system="one"),
                Candidate(id="2", text="b", system="two"),
            )
            asked = pair("q", *answers, request_id=name)
            styles = (Style(words=2, headers=1), Style(words=1))
            own = verdict(asked, winner=winner)
            scores = tuple(
                replace(score, style=style) for score, style in zip(own.scores, styles, strict=True)
            )
            metadata = {"task": task} | ({PROBE_KEY: "known-answer"} if probe else {})
            return replace(own, scores=scores, metadata=metadata, prompt_digest=name)

        rows = [judged(f"r{k}", "1" if k % 3 else "2", "ab"[k % 2]) for k in range(12)]
        publish(kafka, *rows, *rows[:5], judged("p", "2", "a", probe=True))
        done = run("leaderboard", "--format", "json")
        assert done.exit_code == 0, done.output
        (board,) = [json.loads(text) for text in done.stdout.splitlines()]
        assert (board["battles"], board["prompts"], board["groups"]) == (12, 12, 1)
        assert board["skipped"] == {"not_counted": 1}
        best, worst = board["systems"]
        assert (best["system"], best["battles"], worst["rank"]) == ("one", 12, 1)
        assert best["win_rate"]["value"] == pytest.approx(8 / 12)
        assert best["rating"]["method"] == "sandwich, clustered"
        drawn = json.loads(run("leaderboard", "--resamples", "40", "--format", "json").stdout)
        assert drawn["systems"][0]["rating"]["method"] == "percentile bootstrap of clusters"
        done = run("leaderboard", "--segment", "task", "--style-control", "--format", "json")
        boards = [json.loads(text) for text in done.stdout.splitlines()]
        assert [(one["task"], one["battles"]) for one in boards] == [("a", 6), ("b", 6)]
        assert boards[0]["style"]["bold"] is None and boards[0]["style"]["headers"]["low"] < 0
        text = run("leaderboard", "--style-control").stdout
        assert "win rate" in text and "headers" in text
        assert max(map(len, text.splitlines())) <= 80
        early = run("leaderboard", "--until", "2020-01-01")
        assert early.exit_code == ExitCode.NO
        assert "no two systems were compared" in early.stderr
        assert run("leaderboard", "--resamples", "5").exit_code == ExitCode.USAGE

    def test_agreement_joins_verdicts_and_labels(self, kafka: Kafka) -> None:
        requests = [pair("q", "a", "b", request_id=f"r{k}") for k in range(3)]
        publish(kafka, *(verdict(r, winner="1", flipped=k == 2) for k, r in enumerate(requests)))
        with Producer(kafka) as producer:
            for k, winner in enumerate(("1", "1", "2")):
                producer.label(label(f"r{k}", annotator="human-1", winner=winner))
            producer.label(label("r0", annotator="teacher", winner="2"))
            producer.label(label("unasked", annotator="human-1", winner="2"))
        done = run("agreement", "--annotator", "human", "--format", "json")
        assert done.exit_code == 0, done.output
        found = json.loads(done.stdout)
        assert (found["n"], found["no_majority"]) == (3, 0)
        assert found["accuracy"]["value"] == pytest.approx(2 / 3)
        assert found["position"]["flip_consistency"]["value"] == pytest.approx(2 / 3)
        assert "1 labelled requests have no verdict" in done.stderr
        assert run("agreement", "--annotator", "human").exit_code == 0
        assert run("agreement", "--min-accuracy", "0.9").exit_code == ExitCode.NO
        nobody = run("agreement", "--annotator", "nobody")
        assert nobody.exit_code == ExitCode.NO
        assert "annotators on the topic: human-1, teacher" in nobody.stderr

    def test_agreement_sets_aside_what_says_nothing_and_compares_releases(
        self, kafka: Kafka
    ) -> None:
        """r0 to r5 by two releases; r4's label says nothing, r5's says two things; a probe, a reused id."""
        requests = [pair(f"q{k % 2}", "a", "b", request_id=f"r{k}") for k in range(6)]
        reused = pair("another", "a", "b", request_id="r3")
        probe = replace(pair("p", "a", "b", request_id="p"), metadata={PROBE_KEY: "doctor"})
        first = [verdict(r, winner="1") for r in [*requests, reused]]
        second = [
            replace(v, release="judge-2", verdict_id=f"{v.verdict_id[:-1]}-", winner="2")
            for v in first[:3]
        ]
        publish(
            kafka, *first, *second, replace(verdict(probe, winner="1"), metadata=probe.metadata)
        )
        with Producer(kafka) as producer:
            for request in requests:
                producer.submit(request)
            for k in range(4):
                producer.label(label(f"r{k}", annotator="human-1", winner="1"))
            producer.label(label("p", annotator="human-1", winner="1"))
        # our client refuses these two; other producers may send them
        nothing = replace(label("r4", annotator="human-1", winner="1"), winner="")
        both = replace(label("r5", annotator="human-1", winner="1"), tie=True)
        with RecordPublisher(kafka) as publisher:
            for one in (nothing, both):
                publisher.send(
                    LABELS.name,
                    key=one.request_id.encode(),
                    value=encode(label_to_message(one)),
                    headers=[],
                )
        done = run("agreement", "--compare", "judge-2", "--format", "json")
        assert done.exit_code == 0, done.output
        one, two, compared = (json.loads(text) for text in done.stdout.splitlines())
        assert (one["release"], one["n"], one["accuracy"]["value"]) == ("judge-1", 3, 1.0)
        assert (one["clusters"], one["without_label"]) == (2, 2)
        assert one["set_aside"] == {"ambiguous": 2, "probe": 1}
        assert one["labels"]["invalid"] == {"no_choice": 1, "winner_and_tie": 1}
        assert (two["release"], two["n"], two["accuracy"]["value"]) == ("judge-2", 3, 0.0)
        assert (compared["n"], compared["only_first"], compared["only_second"]) == (3, 3, 0)
        assert compared["difference"]["value"] == 1.0
        text = run("agreement").stdout
        assert "kappa" in text and max(map(len, text.splitlines())) <= 80
        assert run("agreement", "--compare", "nobody").exit_code == ExitCode.USAGE


class TestBias:
    def test_recompute_counts_every_judgement_once(self, kafka: Kafka) -> None:
        requests = [pair("q", "a", "b", request_id=f"r{k}") for k in range(4)]
        found = [verdict(r, winner="1", flipped=k == 0) for k, r in enumerate(requests)]
        publish(kafka, *found, *found)
        done = run("bias", "recompute", "--format", "json")
        result = json.loads(done.stdout)
        assert result["counts"]["n"] == 4
        metrics = {m["name"]: m["value"] for m in result["metrics"]}
        assert metrics["flip_consistency"] == 0.75
        assert "flip_consistency" in run("bias", "recompute").stdout

    def test_report_shows_each_window_as_it_stands_now(self, kafka: Kafka) -> None:
        assert run("bias", "report").exit_code == ExitCode.NO
        with RecordPublisher(kafka) as publisher:
            for window, revision in ((0, 5), (0, 9), (0, 7), (1, 3)):
                message = BiasReport(
                    report_id=f"w{window}",
                    release="judge-1",
                    revision=revision,
                    counts={"n": revision},
                )
                message.window_start.FromSeconds(60 * window)
                publisher.send(BIAS.name, key=b"judge-1", value=encode(message), headers=[])
        lines = run("bias", "report", "--format", "json").stdout.splitlines()
        assert [json.loads(text)["revision"] for text in lines] == ["9", "3"]
        assert "3 verdicts, growing" in run("bias", "report", "--last", "1").stdout

    def test_windows_are_recounted_from_the_topic_also_as_a_page(
        self, kafka: Kafka, tmp_path: Path
    ) -> None:
        requests = [pair("q", "a", "b", request_id=f"r{k}") for k in range(4)]
        found = [verdict(r, winner="1", flipped=k == 0) for k, r in enumerate(requests)]
        publish(kafka, *found, *found)
        shown = run("bias", "report", "--from-topic").stdout
        assert "4 verdicts, recounted" in shown and "flip_consistency" in shown
        page = tmp_path / "health.html"
        assert "1 window" in run("bias", "report", "--from-topic", "--html", str(page)).stdout
        assert "<svg" in page.read_text() and "No alarm is raised" in page.read_text()
        missing = run("bias", "report", "--from-topic", "--html", str(tmp_path / "no" / "page"))
        assert missing.exit_code == ExitCode.USAGE


class TestDeadLetters:
    def test_a_replay_has_the_same_bytes_key_and_headers(self, kafka: Kafka) -> None:
        aside, empty = letter(), letter(value=None, offset=8)
        set_aside(kafka, aside, aside, empty)
        listed = run("dlq", "list").stdout.splitlines()
        assert len(listed) == 2
        shown = run("dlq", "inspect", aside.dead_letter_id[:8]).stdout
        assert "undecodable: no such field" in shown and "traceparent = 00-1" in shown
        assert run("dlq", "replay", "--all", "--dry-run").exit_code == ExitCode.NO
        assert there(kafka, REQUESTS, JudgeRequest) == []
        done = run("dlq", "replay", aside.dead_letter_id)
        assert done.exit_code == 0, done.output
        (found,) = there(kafka, REQUESTS, JudgeRequest)
        assert (found.record.key, found.record.value) == (b"\xffkey", b'{"x": 1}')
        assert found.record.headers == (
            ("content-type", b"application/json"),
            ("traceparent", b"00-1"),
            ("traceparent", b"\xff"),
            (REPLAY_OF, aside.dead_letter_id.encode()),
        )

    def test_an_error_class_chooses_and_an_unknown_id_is_refused(self, kafka: Kafka) -> None:
        set_aside(kafka, letter())
        assert run("dlq", "list", "--error-class", "too_old").stdout == ""
        assert run("dlq", "replay", "--error-class", "too_old").exit_code == 0
        done = run("dlq", "inspect", "zzz")
        assert done.exit_code == ExitCode.USAGE and "dlq list" in done.stderr

    def test_a_replay_goes_to_our_topics_only(self, kafka: Kafka) -> None:
        set_aside(kafka, letter(topic="somebody.elses"))
        done = run("dlq", "replay", "--all")
        assert done.exit_code == ExitCode.NO and "unknown topic" in done.stderr


class TestDoctor:
    def test_it_stops_where_the_path_stops_and_says_how_to_fix_it(
        self, kafka: Kafka, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("JUDGESTREAM_REDIS__URL", "redis://127.0.0.1:1/0")
        done = run("doctor", "--format", "json")
        assert done.exit_code == ExitCode.SERVER
        steps = [json.loads(text) for text in done.stdout.splitlines()]
        assert [(step["step"], step["state"]) for step in steps] == [
            ("settings", "ok"),
            ("kafka", "ok"),
            ("topics", "ok"),
            ("redis", "failed"),
        ]
        assert "JUDGESTREAM_REDIS__URL" in steps[-1]["found"]
        monkeypatch.setenv("JUDGESTREAM_REDIS__URL", "")
        monkeypatch.setenv("JUDGESTREAM_TRITON__GRPC", "127.0.0.1:1")
        assert "JUDGESTREAM_TRITON__GRPC" in run("doctor", "--timeout", "5").stdout

    def test_the_one_request_is_judged(self, kafka: Kafka) -> None:
        settings = Settings(kafka=kafka)
        with judging(kafka, lambda r: verdict(r, winner="1")):
            assert "winner 1 by judge-1" in doctor._judgement(settings, 30.0)
        with pytest.raises(TimeRanOut, match="judgestream worker judging"):
            doctor._judgement(settings, 1.0)
