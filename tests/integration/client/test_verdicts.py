"""Export of verdicts, and their agreement with labels."""

import json
from dataclasses import replace

import pytest

from judgestream.adapters.kafka.publishing import RecordPublisher
from judgestream.client import Producer, label, pair
from judgestream.contracts.codecs.labels import label_to_message
from judgestream.contracts.topics import (
    LABELS,
)
from judgestream.contracts.wire import encode
from judgestream.core.types import (
    PROBE_KEY,
    Status,
)
from judgestream.settings import Kafka
from judgestream.terminal.exit_codes import ExitCode
from tests.integration.client.records import (
    publish,
    run,
    verdict,
)

pytestmark = pytest.mark.integration


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
