"""The records of judge.rollouts.v1 that count, in the topic's order."""

from datetime import UTC, datetime

from judgestream.adapters.kafka.consuming import Incoming
from judgestream.adapters.kafka.rollout_topic import RolloutView
from judgestream.contracts.codecs.rollouts import rollout_to_message
from judgestream.contracts.records import Record
from judgestream.contracts.wire import decode
from judgestream.core.errors import UndecodableRecord
from judgestream.core.rollout.state import Placed, Rollout, Stage, Step
from judgestream.v1 import rollout_pb2 as pb

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def state(stable: str, revision: int = 1) -> Rollout:
    placed = Placed(release=stable, stage=Stage.STABLE, step=Step.READY, since=NOON)
    return Rollout(revision=revision, releases={stable: placed})


def value(stable: str, *, epoch: int, instance: str, revision: int = 1) -> bytes:
    message = rollout_to_message(
        state(stable, revision), epoch=epoch, instance=instance, published_at=NOON
    )
    return message.SerializeToString()


class Topic:
    def __init__(self) -> None:
        self.view = RolloutView()
        self.offset = 0

    def take(self, raw: bytes | None, *, key: bytes | None = b"default") -> str:
        """Publish a record. Returns why it does not count."""
        self.offset += 1
        record = Record(
            topic="judge.rollouts.v1",
            partition=0,
            offset=self.offset,
            time=NOON,
            key=key,
            value=raw,
        )
        message: pb.Rollout | UndecodableRecord
        try:
            message = decode(pb.Rollout, raw)
        except UndecodableRecord as exc:
            message = exc
        return self.view.take(Incoming(record=record, message=message))

    @property
    def stable(self) -> str:
        return self.view.rollout.stable


def test_a_writer_that_lost_its_lease_changes_nothing() -> None:
    topic = Topic()
    assert topic.take(value("A", epoch=1, instance="x")) == ""
    assert topic.take(value("B", epoch=2, instance="y")) == ""
    topic.take(value("C", epoch=1, instance="x"))
    topic.take(value("D", epoch=2, instance="z"))
    assert (topic.stable, topic.view.fence.epoch, topic.view.skipped) == ("B", 2, 0)


def test_records_that_are_not_a_state_change_nothing_and_are_counted() -> None:
    topic = Topic()
    topic.take(value("A", epoch=1, instance="x"))
    unknown = pb.Rollout(epoch=9, releases=[pb.Placed(release="Z", stage=99)])  # type: ignore[arg-type]
    twice = pb.Rollout(epoch=9, releases=[pb.Placed(release="Z", stage=pb.STAGE_STABLE)] * 2)
    reasons = [
        topic.take(None),
        topic.take(b"\xff"),
        topic.take(value("B", epoch=9, instance="z"), key=b"another"),
        topic.take(value("B", epoch=9, instance="z"), key=None),
        topic.take(unknown.SerializeToString()),
        topic.take(twice.SerializeToString()),
    ]
    assert all(reasons) and topic.view.skipped == len(reasons)
    assert "stage" in reasons[4]
    assert topic.stable == "A"
    assert topic.take(value("B", epoch=1, instance="x", revision=2)) == "", "its fence is unchanged"
    assert topic.stable == "B"


def test_a_topic_that_is_created_again_has_new_writers() -> None:
    topic = Topic()
    topic.take(value("A", epoch=7, instance="x"))
    topic.take(value("A", epoch=7, instance="x"))
    topic.offset = 0
    topic.take(value("B", epoch=1, instance="y"))
    assert topic.stable == "B"
