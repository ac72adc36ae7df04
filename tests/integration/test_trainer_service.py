"""Continuous training on a real Kafka: killed, it continues, and publishes once."""

import json
import os
import re
import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import pytest
from kafka import KafkaConsumer, TopicPartition

from judgestream.adapters.kafka.publishing import RecordPublisher
from judgestream.adapters.kafka.topics import admin, apply
from judgestream.checkpoints.manifest import Manifest, read_manifest, verify
from judgestream.contracts.events import header
from judgestream.contracts.topics import CHECKPOINTS
from judgestream.dashboards import DASHBOARDS
from judgestream.local.kafka import KafkaServer
from judgestream.local.ports import HOST, free_port
from judgestream.local.process import Command, ServerProcess
from judgestream.settings import Kafka
from judgestream.v1.rollout_pb2 import Checkpoint
from judgestream_trainer.data.example import Example
from judgestream_trainer.data.outcomes import unusable
from judgestream_trainer.data.split import deduplicated
from judgestream_trainer.data.stream import publish
from judgestream_trainer.tasks import FAMILIES, items
from tests.integration.cluster import QUICK, empty, revive, wait
from tests.integration.otlp import ReceivedSpan, Receiver, receiving
from tests.integration.prometheus_server import prometheus, without_data
from tests.paths import JUDGES, environment

pytestmark = pytest.mark.integration

TINY = JUDGES / "tiny"
NOW = datetime(2026, 1, 1, tzinfo=UTC)

RECIPE = """
name: short
seed: 1
size: {context: 2304, max_input: 2048}
optimisation:
  epochs: 1
  batch: 4
  optimizer: adamw
  other_lr: 0.000001   # so that the judge stays what it was, and the gates have nothing against it
  warmup: 0.1
  explanation_probability: 0.0
records: {save_every: 2}
"""


@pytest.fixture
def kafka(shared_kafka: KafkaServer) -> Kafka:
    settings = Kafka(bootstrap=shared_kafka.bootstrap)
    revive(shared_kafka)
    empty(shared_kafka)
    with closing(admin(settings)) as client:
        apply(client, settings)
    return settings


class Trainer:
    """`judgestream watch` over one data folder, as a supervisor would run it."""

    def __init__(self, folder: Path, kafka: Kafka, *, least: int) -> None:
        self.folder = folder
        self.kafka = kafka
        self.least = least
        self.log = folder / "trainer.log"
        self.base = folder / "base"
        shutil.copytree(TINY, self.base)
        (folder / "recipe.yaml").write_text(RECIPE)
        self.process: ServerProcess | None = None
        self.more: dict[str, str] = {}

    def start(self, *more: str) -> ServerProcess:
        self.process = ServerProcess(
            Command(
                name="trainer",
                argv=[
                    *(sys.executable, "-m", "judgestream_trainer", "watch"),
                    *("--recipe", str(self.folder / "recipe.yaml"), "--base", str(self.base)),
                    *("--publish", str(self.folder / "releases")),
                    *("--data-dir", str(self.folder / "data")),
                    *("--min-examples", str(self.least)),
                    *("--test-share", "0.3", "--validation-share", "0.1"),
                    *("--least-held-out", "8", "--most-loss", "0.6"),
                    *more,
                ],
                log_path=self.log,
                cwd=self.folder,
                env=environment(
                    **QUICK, JUDGESTREAM_KAFKA__BOOTSTRAP=self.kafka.bootstrap, **self.more
                ),
                stop_seconds=60.0,
            )
        )
        return self.process

    def says(self, text: str, *, seconds: float = 120.0) -> None:
        """Wait until the log has it, wherever its lines were folded."""

        def said() -> bool:
            found = text in self.said()
            if not found and self.process is not None:
                self.process.check()  # it will say nothing more
            return found

        wait(said, what=f"{text!r} in {self.log}", seconds=seconds)

    def known(self) -> int:
        """Examples that came again, in however many batches, and brought nothing new."""
        return sum(map(int, re.findall(r" 0 new, (\d+) known", self.said())))

    def said(self) -> str:
        return " ".join(self.log.read_text().split()) if self.log.exists() else ""

    def stop(self) -> None:
        if self.process is not None:
            self.process.stop()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as one:
        yield one


@pytest.fixture
def trainer(tmp_path: Path, kafka: Kafka) -> Iterator[Trainer]:
    service = Trainer(tmp_path, kafka, least=40)
    yield service
    service.stop()


def examples(count: int, *, seed: int = 21) -> list[Example]:
    """Short examples of every family."""
    each = count // len(FAMILIES)
    return [
        item.example
        for family in FAMILIES.values()
        for item in islice(items(family, seed=seed, held_out=True), each)
    ]


def send(kafka: Kafka, some: list[Example]) -> None:
    with RecordPublisher(kafka) as publisher:
        publish(publisher, some, at=NOW)


def events(kafka: Kafka) -> list[tuple[str, Checkpoint, str, str]]:
    """Key, message, event type and `traceparent` of everything on `judge.checkpoints.v1`."""
    consumer = KafkaConsumer(bootstrap_servers=kafka.bootstrap, group_id=None)
    partition = TopicPartition(CHECKPOINTS.name, 0)
    consumer.assign([partition])
    consumer.seek_to_beginning(partition)
    end = consumer.end_offsets([partition])[partition]
    found: list[tuple[str, Checkpoint, str, str]] = []
    while consumer.position(partition) < end:
        for batch in consumer.poll(timeout_ms=200).values():
            found += [
                (
                    r.key.decode(),
                    Checkpoint.FromString(r.value),
                    header(r.headers, "ce_type"),
                    header(r.headers, "traceparent"),
                )
                for r in batch
            ]
    consumer.close()
    return found


def test_killed_while_training_it_continues_and_publishes_once(
    trainer: Trainer, kafka: Kafka, receiver: Receiver
) -> None:
    trainer.more["JUDGESTREAM_TELEMETRY__ENDPOINT"] = receiver.endpoint
    some = [example for example in examples(60) if unusable(example) is None]
    send(kafka, some)
    send(kafka, some)  # delivered twice: nothing is new about it
    process = trainer.start()
    trainer.says("training cycle 1: training on")
    os.kill(process.pid, signal.SIGKILL)
    process.stop()
    assert events(kafka) == []
    port = free_port()
    with prometheus(trainer.folder / "prometheus", {"trainer": [f"{HOST}:{port}"]}) as server:
        process = trainer.start("--metrics-port", str(port))
        trainer.says("training cycle 1: published")
        published = 'judgestream_trainer_cycles_total{outcome="published"}'
        wait(lambda: server.value(published) == 1, what="the cycle to be scraped", seconds=20)
        assert without_data(server, DASHBOARDS["training"]) == []
        assert server.value("judgestream_trainer_cycle") == 1
        assert server.value("judgestream_trainer_step") == server.value("judgestream_trainer_steps")
        assert server.value("judgestream_trainer_loss") > 0
    ((key, told, kind, parent),) = events(kafka)
    assert kind == CHECKPOINTS.event_type
    released = Path(told.location)
    manifest = read_manifest(released)
    verify(released, manifest)
    assert key == told.digest == manifest.digest != read_manifest(TINY).digest
    assert told.evaluation["with_reference.accuracy"] > 0.8
    unique = deduplicated(some).examples
    assert sum(manifest.data["examples"].values()) == len(unique) > 40
    assert json.loads((trainer.folder / "data/rounds/0001/decision.json").read_text())["publish"]

    before = trainer.known()
    send(kafka, some)  # known examples start no cycle
    wait(lambda: trainer.known() >= before + len(some), what="all to be known", seconds=60)
    os.kill(process.pid, signal.SIGTERM)
    wait(lambda: process.poll() is not None, what="the service to end", seconds=60)
    assert process.poll() == 0
    assert len(events(kafka)) == 1
    check_trace(receiver.spans, manifest, parent)


def check_trace(spans: list[ReceivedSpan], manifest: Manifest, parent: str) -> None:
    """One trace, of the process that finished the cycle: a killed one sends nothing.

    Args:
        parent: the `traceparent` of the published checkpoint.
    """
    named = {one.name: one for one in spans}
    cycle, publish = named["training cycle"], named["publish"]
    phases = ("read examples", "train", "evaluate", "publish")
    sent = named[f"send {CHECKPOINTS.name}"]
    assert len(named) == len(spans) == 6
    assert {one.trace_id for one in spans} == {cycle.trace_id}
    assert {one.service for one in spans} == {"judgestream-trainer"}
    assert cycle.parent == "" and sent.parent == publish.span_id and sent.kind == "producer"
    assert {named[phase].parent for phase in phases} == {cycle.span_id}
    assert not any(one.failed for one in spans)
    assert cycle.attributes["judgestream.cycle"] == 1
    assert cycle.attributes["judgestream.resumed"] is True
    assert cycle.attributes["judgestream.outcome"] == "published"
    assert named["evaluate"].attributes["judgestream.digest"] == manifest.digest
    told = named["read examples"].attributes
    for side, count in manifest.data["examples"].items():
        assert told[f"judgestream.examples.{side}"] == count
    assert named["train"].seconds < cycle.seconds
    assert parent.split("-")[1:3] == [cycle.trace_id, sent.span_id]


def test_on_command_it_trains_on_the_new_examples_and_refuses_a_judge_it_cannot_measure(
    trainer: Trainer, kafka: Kafka
) -> None:
    some = [example for example in examples(20) if unusable(example) is None]
    send(kafka, some)  # too few to start a cycle, and too few held out to measure
    process = trainer.start("--least-held-out", "1000")
    trainer.says(f"{len(some)} wait for the next training cycle")
    os.kill(process.pid, signal.SIGUSR1)
    trainer.says("1000 are needed")
    assert events(kafka) == []
    assert not (trainer.folder / "releases").exists()
    os.kill(process.pid, signal.SIGTERM)
    wait(lambda: process.poll() is not None, what="the service to end", seconds=60)
    assert process.poll() == 0


def test_stopped_while_training_it_saves_a_checkpoint_exits_with_0_and_continues(
    trainer: Trainer, kafka: Kafka
) -> None:
    some = [example for example in examples(60) if unusable(example) is None]
    send(kafka, some)
    # long enough that the signal arrives before the last step, however busy the machine is
    (trainer.folder / "recipe.yaml").write_text(RECIPE.replace("epochs: 1", "epochs: 4"))
    process = trainer.start("--once")
    metrics = trainer.folder / "data/rounds/0001/training/metrics.jsonl"
    wait(metrics.exists, what="the first step", seconds=120)
    os.kill(process.pid, signal.SIGTERM)
    wait(lambda: process.poll() is not None, what="the service to end", seconds=60)
    assert process.poll() == 0
    assert "stopped during a training cycle" in trainer.said()
    assert events(kafka) == []
    process = trainer.start("--once")
    wait(lambda: process.poll() is not None, what="the service to end", seconds=120)
    assert process.poll() == 0
    assert len(events(kafka)) == 1
    steps = [json.loads(line)["step"] for line in metrics_of(trainer).splitlines()]
    assert steps == sorted(set(steps))  # no step was done twice


def metrics_of(trainer: Trainer) -> str:
    return (trainer.folder / "data/rounds/0001/metrics.jsonl").read_text()
