"""Training examples through a real Kafka: published, corrected, taken back, read."""

import json
import os
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from judgestream.adapters.kafka.publishing import RecordPublisher
from judgestream.adapters.kafka.reading import TopicReader
from judgestream.adapters.kafka.topics import admin, apply
from judgestream.contracts.events import JSON, event_headers, event_time, header
from judgestream.contracts.topics import TRAINING
from judgestream.contracts.wire import encode
from judgestream.core.errors import OversizeRecord
from judgestream.local.kafka import KafkaServer
from judgestream.settings import Kafka
from judgestream.v1.training_pb2 import TrainingExample
from judgestream_trainer.data import ExampleCollector, Reason, read_examples
from judgestream_trainer.data.example import Example, Judgement
from judgestream_trainer.data.stream import publish, read_topic
from judgestream_trainer.data.topic import example_to_message
from tests.integration.cluster import empty, revive
from tests.trainer.command_line import captured

pytestmark = pytest.mark.integration

NOON = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)


@pytest.fixture
def kafka(shared_kafka: KafkaServer) -> Kafka:
    settings = Kafka(bootstrap=shared_kafka.bootstrap)
    revive(shared_kafka)
    empty(shared_kafka)
    with closing(admin(settings)) as client:
        apply(client, settings, [TRAINING])
    return settings


def example(name: str, scores: tuple[float, float] = (8, 4)) -> Example:
    return Example(
        id=name,
        question=f"Question {name}?",
        answers=("yes", "no"),
        blind=Judgement(scores=scores, explanation="w"),
        source="here",
    )


def run(*arguments: object) -> tuple[int, str]:
    return captured(["data", *map(str, arguments)])


def test_the_topic_gives_back_what_was_published_the_latest_of_each_id(kafka: Kafka) -> None:
    rows = [example(name) for name in "abc"]
    corrected = replace(rows[1], blind=Judgement(scores=(3, 9)))
    with RecordPublisher(kafka) as publisher:
        publish(publisher, [*rows, rows[0], corrected], at=NOON)
        publisher.flush()
        publisher.send(TRAINING.name, key=b"c", value=None, headers=[])
        publisher.send(TRAINING.name, key=b"d", value=b"\xff\xff", headers=[])
        publisher.send(TRAINING.name, key=b"e", value=b'{"exampleId": "e"}', headers=[])
        message = example_to_message(example("f"), labelled_at=NOON)
        headers = event_headers(
            event_type=TRAINING.event_type, event_id="f", source="s", time=NOON, content_type=JSON
        )
        publisher.send(TRAINING.name, key=b"f", value=encode(message, JSON), headers=headers)
    tally = ExampleCollector()
    read_topic(kafka, tally)
    examples, counts = tally.result()
    assert sorted(examples, key=lambda one: one.id) == [rows[0], corrected, example("f")]
    assert (counts.read, counts.kept) == (9, 3)
    assert counts.by_reason == {Reason.REPLACED: 2, Reason.TAKEN_BACK: 2, Reason.UNDECODABLE: 2}
    _records_carry_their_headers(kafka)
    with RecordPublisher(kafka) as publisher, pytest.raises(OversizeRecord, match="'huge'"):
        publish(publisher, [replace(example("huge"), reference="x" * (3 << 20))], at=NOON)
        publisher.flush()


def _records_carry_their_headers(kafka: Kafka) -> None:
    with TopicReader(kafka, TRAINING, TrainingExample) as reader:
        records = [one.record for one in reader.read(reader.beginning(), until=reader.end())]
    first = next(record for record in records if record.key == b"a")
    assert header(first.headers, "ce_type") == "judge.training.v1"
    assert header(first.headers, "ce_id") == "a" and event_time(first.headers) == NOON


def test_files_are_published_and_the_topic_is_checked_and_converted(
    kafka: Kafka, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUDGESTREAM_KAFKA__BOOTSTRAP", kafka.bootstrap)
    rows = tmp_path / "rows.jsonl"
    pairs = [{"prompt": f"q{k}", "chosen": "a", "rejected": "b"} for k in range(40)]
    rows.write_text("".join(json.dumps(pair) + "\n" for pair in [*pairs, pairs[0]]))
    code, text = run("publish", rows)
    assert code == 0 and "1 duplicates left out" in text
    assert "40 examples are on judge.training.v1" in text
    assert run("publish", rows)[0] == 0, "publishing twice is harmless"
    code, text = run("check", "--topic")
    assert code == 0 and "80 read, 40 kept, 40 left out (40 replaced)" in text
    out = tmp_path / "out.jsonl"
    assert run("convert", "--topic", "--out", out)[0] == 0
    before = {one.id: one for one in read_examples([rows])[0]}
    after, _ = read_examples([out])
    assert len(after) == 40 and all(before[one.id] == one for one in after)


def test_no_broker_is_its_own_exit_code(tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"prompt": "q", "chosen": "a", "rejected": "b"}\n')
    done = subprocess.run(
        [sys.executable, "-m", "judgestream_trainer", "data", "publish", str(rows)],
        env=os.environ
        | {
            "JUDGESTREAM_KAFKA__BOOTSTRAP": "127.0.0.1:1",
            "JUDGESTREAM_KAFKA__CONNECT_TIMEOUT_S": "1",
        },
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 3, done.stderr
    assert "JUDGESTREAM_KAFKA__BOOTSTRAP" in done.stderr
