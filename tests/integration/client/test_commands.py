"""Bias reports, dead letters and `doctor`."""

import json
from pathlib import Path

import pytest

from judgestream.adapters.kafka.publishing import RecordPublisher
from judgestream.apps.cli import doctor
from judgestream.apps.cli.dlq.commands import REPLAY_OF
from judgestream.client import pair
from judgestream.contracts.topics import (
    BIAS,
    REQUESTS,
)
from judgestream.contracts.wire import encode
from judgestream.settings import Kafka, Settings
from judgestream.terminal.exit_codes import ExitCode, TimeRanOut
from judgestream.v1.bias_pb2 import BiasReport
from judgestream.v1.judging_pb2 import JudgeRequest
from tests.integration.client.records import (
    judging,
    letter,
    publish,
    run,
    set_aside,
    there,
    verdict,
)

pytestmark = pytest.mark.integration


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
