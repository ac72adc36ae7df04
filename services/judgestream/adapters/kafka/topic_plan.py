"""The changes that give the topics on the broker their specification. Pure: computed from descriptions.

Partitions and replicas only grow. More partitions move keys: records of one key from before and after are on
two partitions, in no common order. Our readers of such topics do not depend on that order. But a compacted
topic would keep the old record of a key beside the new one forever, so compacted topics never grow.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from judgestream.contracts.topics import Topic

OFFSETS_TOPIC = "__consumer_offsets"
"""Kafka's own topic of the groups' offsets. Without it no worker continues: it needs as many replicas."""

Replicas = Mapping[int, Sequence[int]]
"""Partition -> ids of the brokers that hold it, the preferred leader first."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """A topic on the broker."""

    name: str
    replicas: Replicas
    config: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """One change of one topic.

    what         a topic setting, "partitions" or "replication factor"
    refused      why it cannot be made, and what to do instead; "" if it can
    consequence  what the change does besides
    """

    topic: str
    what: str
    before: str
    after: str
    consequence: str = ""
    refused: str = ""

    def __str__(self) -> str:
        told = f"{self.topic}: {self.what} {self.before} -> {self.after}"
        if self.refused:
            return f"{told}: not possible: {self.refused}"
        return f"{told} ({self.consequence})" if self.consequence else told


PARTITIONS, REPLICATION = "partitions", "replication factor"


def planned(
    topic: Topic, found: Found, *, replication: int, partitions: int | None = None
) -> list[Change]:
    """The changes that give the topic its settings, `partitions` and at least `replication` replicas each.

    Args:
        partitions: None for the number of the table; more than that are left as they are then.
    """
    changes = [
        Change(
            topic=topic.name,
            what=name,
            before=found.config.get(name, "(unset)"),
            after=value,
            consequence=_config_consequence(topic, name, found.config.get(name, ""), value),
        )
        for name, value in topic.config.items()
        if found.config.get(name) != value
    ]
    if more := more_replicas(found, replication):
        changes.append(more)
    present = len(found.replicas)
    if partitions is None:
        partitions = (
            topic.partitions if topic.cleanup == "compact" else max(topic.partitions, present)
        )
    if present != partitions:
        changes.append(
            Change(
                topic=topic.name,
                what=PARTITIONS,
                before=str(present),
                after=str(partitions),
                consequence="keys move: two records of one key may be on two partitions, in no common order",
                refused=_partitions_refused(topic, present, partitions),
            )
        )
    return changes


def more_replicas(found: Found, replication: int) -> Change | None:
    """The change to `replication` replicas of every partition; None where all have that many."""
    least = min(map(len, found.replicas.values()), default=replication)
    if least >= replication:
        return None
    return Change(
        topic=found.name,
        what=REPLICATION,
        before=str(least),
        after=str(replication),
        consequence="brokers copy every partition",
    )


def spread(
    found: Replicas, replication: int, *, racks: Mapping[int, str], load: Counter[int]
) -> dict[int, list[int]]:
    """New replicas of each partition that has fewer than `replication`. The present ones keep their order.

    Args:
        racks: broker -> its rack, "" if it has none. A new replica goes to a rack that the partition is not
            on, if there is one, and there to the broker with the fewest replicas.
        load: replicas by broker; the new ones are added to it.

    Raises:
        ValueError: fewer brokers than replicas.
    """
    if len(racks) < replication:
        raise ValueError(
            f"{replication} replicas need {replication} brokers, and {len(racks)} are running: start more, or"
            " lower kafka.replication_factor"
        )
    wanted: dict[int, list[int]] = {}
    for number, present in sorted(found.items()):
        chosen = list(present)
        while len(chosen) < replication:
            used = {racks.get(one, "") for one in chosen} - {""}
            free = [one for one in racks if one not in chosen]
            best = min(free, key=lambda one: (racks[one] in used, load[one], one))
            chosen.append(best)
            load[best] += 1
        if len(chosen) > len(present):
            wanted[number] = chosen
    return wanted


def replica_load(topics: Iterable[Found]) -> Counter[int]:
    """How many replicas each broker has."""
    return Counter(
        broker for found in topics for brokers in found.replicas.values() for broker in brokers
    )


def _partitions_refused(topic: Topic, present: int, wanted: int) -> str:
    if topic.cleanup == "compact":
        return (
            "the topic is compacted: an old record of a key would stay on its old partition and come back."
            " Copy it to a new topic instead (docs/how-to/upgrade.md)"
        )
    if wanted < present:
        return (
            "Kafka cannot remove partitions. More than the specification says do no harm: name the number"
            f" (--partitions {topic.name}={present}), or copy the topic to a new one (docs/how-to/upgrade.md)"
        )
    return ""


def _config_consequence(topic: Topic, name: str, before: str, after: str) -> str:
    if name == "cleanup.policy":
        return {
            "compact": "older records of a key are deleted",
            "delete": "records older than retention.ms are deleted",
        }[topic.cleanup]
    if (
        name == "retention.ms"
        and _number(after) != -1
        and not 0 <= _number(before) <= _number(after)
    ):
        return "older records are deleted"
    if name == "max.message.bytes" and _number(after) < _number(before):
        return "larger records are refused from now on; those on the topic stay"
    return ""


def _number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        return -1
