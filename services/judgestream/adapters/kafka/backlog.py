"""Backlogs of consumer groups, and counts of recent records, asked of the broker."""

from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime

from kafka.admin import KafkaAdminClient, OffsetSpec
from kafka.errors import KafkaError

from judgestream.adapters.kafka.lag import GroupLag, partitions_of
from judgestream.adapters.kafka.topics import admin
from judgestream.contracts.topics import Topic
from judgestream.core.errors import BrokerUnavailable
from judgestream.settings import Kafka


@dataclass(frozen=True, kw_only=True, slots=True)
class Backlog:
    """Records that a group has not read.

    records   not yet committed by the group; None where the broker does not tell (no such topic, no right)
    problem   why it does not
    """

    topic: str
    group: str
    records: int | None
    problem: str = ""


def backlogs(settings: Kafka, wanted: Iterable[tuple[Topic, str]]) -> list[Backlog]:
    """One entry for every (topic, group).

    Raises:
        BrokerUnavailable: no broker answers.
    """
    with closing(admin(settings)) as client:
        return [_backlog(settings, client, topic, group) for topic, group in wanted]


def _backlog(settings: Kafka, client: KafkaAdminClient, topic: Topic, group: str) -> Backlog:
    try:
        partitions = partitions_of(client, topic)
        lag = GroupLag(settings, group, client=client)
        records = lag([(tp.topic, tp.partition) for tp in partitions]) if partitions else None
    except (KafkaError, OSError, KeyError, ValueError) as exc:
        why = str(exc) or type(exc).__name__
        return Backlog(topic=topic.name, group=group, records=None, problem=why)
    problem = "" if partitions else "no such topic: `judgestream topics apply` creates it"
    return Backlog(topic=topic.name, group=group, records=records, problem=problem)


def count_since(settings: Kafka, topic: Topic, time: datetime) -> int:
    """Records that were published on a topic since `time` (which has a zone).

    Raises:
        BrokerUnavailable: no broker answers, or it does not tell.
    """
    stamp = max(0, int(time.timestamp() * 1000))
    with closing(admin(settings)) as client:
        try:
            partitions = partitions_of(client, topic)
            if not partitions:
                return 0
            ends = client.list_partition_offsets({tp: OffsetSpec.LATEST for tp in partitions})
            starts = client.list_partition_offsets({tp: stamp for tp in partitions})
        except (KafkaError, OSError) as exc:
            raise BrokerUnavailable(
                f"the offsets of {topic.name} could not be read: {exc}"
            ) from exc
    # -1: no record of that partition is so new
    return sum(ends[tp].offset - starts[tp].offset for tp in partitions if starts[tp].offset >= 0)
