"""The changes that `topics plan` and `topics apply --alter` want."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import pytest

from judgestream.adapters.kafka.topic_plan import (
    Found,
    more_replicas,
    planned,
    replica_load,
    spread,
)
from judgestream.contracts.topics import LABELS, REQUESTS, ROLLOUTS, TOPICS, TRAINING, Topic


def found(
    topic: Topic, partitions: int | None = None, config: Mapping[str, str] | None = None
) -> Found:
    number = topic.partitions if partitions is None else partitions
    return Found(
        name=topic.name,
        replicas={k: [1] for k in range(number)},
        config=topic.config | dict(config or {}),
    )


@pytest.mark.parametrize("topic", TOPICS.values(), ids=TOPICS)
def test_a_topic_as_specified_needs_no_change(topic: Topic) -> None:
    assert planned(topic, found(topic), replication=1) == []


@pytest.mark.parametrize(
    ("before", "told"),
    [
        ({"retention.ms": "-1"}, "retention.ms -1 -> 604800000 (older records are deleted)"),
        (
            {"retention.ms": "604800001"},
            "retention.ms 604800001 -> 604800000 (older records are deleted)",
        ),
        ({"retention.ms": "1000"}, "retention.ms 1000 -> 604800000"),
        (
            {"cleanup.policy": "compact"},
            "cleanup.policy compact -> delete (records older than retention.ms",
        ),
        (
            {"max.message.bytes": "9000000"},
            "max.message.bytes 9000000 -> 2097152 (larger records are refused",
        ),
        ({"max.message.bytes": "1000"}, "max.message.bytes 1000 -> 2097152"),
    ],
)
def test_a_setting_is_changed_and_its_consequence_told(before: dict[str, str], told: str) -> None:
    (change,) = planned(REQUESTS, found(REQUESTS, config=before), replication=1)
    assert str(change).startswith(f"{REQUESTS.name}: {told}")
    assert ("(" in str(change)) == ("(" in told)


def test_more_partitions_move_keys() -> None:
    (change,) = planned(LABELS, found(LABELS), partitions=32, replication=1)
    assert (change.before, change.after, change.refused) == ("8", "32", "")
    assert "keys move" in change.consequence


def test_more_partitions_than_specified_are_left_as_they_are() -> None:
    assert planned(LABELS, found(LABELS, partitions=32), replication=1) == []


def test_partitions_are_never_removed() -> None:
    (change,) = planned(LABELS, found(LABELS, partitions=32), partitions=8, replication=1)
    assert "cannot remove partitions" in change.refused and f"{LABELS.name}=32" in change.refused


@pytest.mark.parametrize("topic", [ROLLOUTS, TRAINING], ids=lambda one: one.name)
@pytest.mark.parametrize("partitions", [None, 64])
def test_a_compacted_topic_never_grows(topic: Topic, partitions: int | None) -> None:
    """A key's old record would come back."""
    present = topic.partitions if partitions else topic.partitions + 1
    (change,) = planned(topic, found(topic, present), partitions=partitions, replication=1)
    assert "compacted" in change.refused


def test_replicas_grow_and_never_shrink() -> None:
    one = found(REQUESTS)
    assert more_replicas(one, 1) is None
    change = more_replicas(replace(one, replicas={0: [1, 2, 3], 1: [2]}), 3)
    assert change is not None and (change.before, change.after) == ("1", "3")
    assert more_replicas(replace(one, replicas={0: [1, 2, 3]}), 2) is None


def test_new_replicas_go_to_other_racks_and_then_to_idle_brokers() -> None:
    """Brokers 1 and 2 are in rack a, 3 and 4 in rack b; broker 3 holds one replica more than 4."""
    racks = {1: "a", 2: "a", 3: "b", 4: "b"}
    load = Counter({1: 2, 3: 1})
    assert spread({0: [1], 1: [1]}, 2, racks=racks, load=load) == {0: [1, 4], 1: [1, 3]}
    assert load == {1: 2, 3: 2, 4: 1}


def test_present_replicas_keep_their_order_and_full_partitions_are_left_out() -> None:
    racks = {1: "", 2: "", 3: ""}
    wanted = spread({0: [3, 1], 1: [2, 1, 3]}, 3, racks=racks, load=Counter())
    assert wanted == {0: [3, 1, 2]}


def test_partitions_are_spread_evenly() -> None:
    one = Found(name="t", replicas={k: [1] for k in range(8)})
    load = replica_load([one])
    wanted = spread(one.replicas, 2, racks={1: "", 2: "", 3: ""}, load=load)
    assert Counter(brokers[1] for brokers in wanted.values()) == {2: 4, 3: 4}


def test_too_few_brokers_are_named() -> None:
    with pytest.raises(ValueError, match="3 replicas need 3 brokers, and 2 are running"):
        spread({0: [1]}, 3, racks={1: "", 2: ""}, load=Counter())
