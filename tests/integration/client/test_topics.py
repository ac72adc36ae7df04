"""Topics, publishing and reading."""

import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from judgestream.adapters.kafka.publishing import RecordPublisher, RequestPublisher
from judgestream.adapters.kafka.topics import admin, check
from judgestream.client import JSON, PROTOBUF, Producer, label, pair, read_verdicts
from judgestream.contracts.codecs.requests import request_from_message
from judgestream.contracts.events import header
from judgestream.contracts.topics import (
    ALARMS,
    LABELS,
    REQUESTS,
    TOPICS,
    VERDICTS,
)
from judgestream.core.errors import (
    ConfigurationError,
    OversizeRecord,
    UndecodableRecord,
)
from judgestream.local.kafka import KafkaServer
from judgestream.settings import Kafka
from judgestream.terminal.exit_codes import ExitCode
from judgestream.v1.judging_pb2 import JudgeRequest, Label
from judgestream.v1.judging_pb2 import Verdict as VerdictMessage
from tests.integration.client.records import NOW, publish, run, there, verdict
from tests.integration.cluster import empty, wait

pytestmark = pytest.mark.integration


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
