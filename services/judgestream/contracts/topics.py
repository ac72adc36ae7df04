"""The table of topics, which all code that creates, checks, writes or reads a topic uses."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from google.protobuf.message import Message

from judgestream.core import limits
from judgestream.core.limits import MIB
from judgestream.v1 import bias_pb2, judging_pb2, rollout_pb2, training_pb2

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS

MAX_REQUEST_BYTES = limits.REQUEST
"""A larger request is dead-lettered. The topic accepts more, so that the worker sees it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Topic:
    """One topic.

    key               the meaning of the record key (all keys are UTF-8 text)
    retention_ms      how long records are kept; -1 without limit
    cleanup           "compact" keeps the latest record of each key
    record            the protobuf message of its records
    noun              name of a record in messages to people
    event_type        CloudEvents type
    segment_ms        of a compacted topic that is written often: the newest segment is never compacted, and a
                      reader of the newest state reads all of it; None: the broker's own
    max_message_bytes largest record that the topic accepts
    max_value_bytes   largest value that is published or judged, if that is less
    unknown_fields    in JSON: "refuse" in the producers' records, so that a misspelt option is an error;
                      "ignore" in the services' records, so that older readers can read newer ones
    """

    name: str
    key: str
    partitions: int
    retention_ms: int
    record: type[Message]
    noun: str
    event_type: str
    cleanup: Literal["delete", "compact"] = "delete"
    segment_ms: int | None = None
    max_message_bytes: int = 2 * MIB
    max_value_bytes: int | None = None
    unknown_fields: Literal["refuse", "ignore"] = "ignore"

    @property
    def config(self) -> dict[str, str]:
        """The Kafka topic settings of this row."""
        segments = {} if self.segment_ms is None else {"segment.ms": str(self.segment_ms)}
        return segments | {
            "cleanup.policy": self.cleanup,
            "retention.ms": str(self.retention_ms),
            "max.message.bytes": str(self.max_message_bytes),
            # any other value makes the broker compress every batch again
            "compression.type": "producer",
        }


REQUESTS = Topic(
    name="judge.requests.v1",
    key="request id",
    partitions=8,
    retention_ms=7 * DAY_MS,
    record=judging_pb2.JudgeRequest,
    noun="request",
    event_type="judge.request.v1",
    max_value_bytes=MAX_REQUEST_BYTES,
    unknown_fields="refuse",
)
VERDICTS = Topic(
    name="judge.verdicts.v1",
    key="request id",
    partitions=8,
    retention_ms=30 * DAY_MS,
    record=judging_pb2.Verdict,
    noun="verdict",
    event_type="judge.verdict.v1",
)
SHADOW = Topic(
    name="judge.shadow.v1",
    key="request id",
    partitions=8,
    retention_ms=30 * DAY_MS,
    record=judging_pb2.Verdict,
    noun="shadow verdict",
    event_type="judge.shadow.v1",
)
"""Verdicts that no consumer acts on: of a release in shadow, and of replays."""
PROBES = Topic(
    name="judge.probes.v1",
    key="request id",
    partitions=4,
    retention_ms=30 * DAY_MS,
    record=judging_pb2.Verdict,
    noun="probe verdict",
    event_type="judge.probe.v1",
)
"""Verdicts on known-answer probes, which never reach consumers or leaderboards."""
DEAD_LETTERS = Topic(
    name="judge.dlq.v1",
    key="original key",
    partitions=4,
    retention_ms=30 * DAY_MS,
    record=judging_pb2.DeadLetter,
    noun="dead letter",
    event_type="judge.deadletter.v1",
    # a dead letter contains a whole request with its headers
    max_message_bytes=4 * MIB,
)
LABELS = Topic(
    name="judge.labels.v1",
    key="request id",
    partitions=8,
    retention_ms=-1,
    record=judging_pb2.Label,
    noun="label",
    event_type="judge.label.v1",
)
BIAS = Topic(
    name="judge.bias.v1",
    key="release",
    partitions=4,
    retention_ms=90 * DAY_MS,
    record=bias_pb2.BiasReport,
    noun="bias report",
    event_type="judge.bias.v1",
)
ALARMS = Topic(
    name="judge.alarms.v1",
    key="alarm id",
    partitions=1,
    retention_ms=-1,
    record=bias_pb2.Alarm,
    noun="alarm",
    event_type="judge.alarm.v1",
    cleanup="compact",
)
TRAINING = Topic(
    name="judge.training.v1",
    key="example id",
    partitions=8,
    retention_ms=-1,
    record=training_pb2.TrainingExample,
    noun="training example",
    event_type="judge.training.v1",
    # a corrected example replaces the earlier one, and a tombstone withdraws it (licence, privacy)
    cleanup="compact",
)
CHECKPOINTS = Topic(
    name="judge.checkpoints.v1",
    key="checkpoint digest",
    partitions=1,
    retention_ms=-1,
    record=rollout_pb2.Checkpoint,
    noun="checkpoint",
    event_type="judge.checkpoint.v1",
    cleanup="compact",
)
ROLLOUTS = Topic(
    name="judge.rollouts.v1",
    key="name of the rollout",
    partitions=1,
    retention_ms=-1,
    record=rollout_pb2.Rollout,
    noun="rollout",
    event_type="judge.rollout.v1",
    cleanup="compact",
    # evidence rewrites the state about twice a minute, and every worker reads the topic when it starts
    segment_ms=HOUR_MS,
)

TOPICS: Mapping[str, Topic] = MappingProxyType(
    {
        topic.name: topic
        for topic in (
            REQUESTS,
            VERDICTS,
            SHADOW,
            PROBES,
            DEAD_LETTERS,
            LABELS,
            BIAS,
            ALARMS,
            TRAINING,
            CHECKPOINTS,
            ROLLOUTS,
        )
    }
)
