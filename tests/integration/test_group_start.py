"""Where a new group starts, on a real Kafka."""

import time
from datetime import UTC, datetime

import pytest
from kafka import TopicPartition

from judgestream.adapters.kafka.starting import commit_start, find_start
from judgestream.adapters.kafka.topics import admin
from judgestream.adapters.preflight import check_kafka
from judgestream.contracts.topics import REQUESTS
from tests.integration.cluster import Cluster, pairs

pytestmark = pytest.mark.integration


def test_a_new_group_starts_where_it_is_told_and_an_old_one_where_it_was(cluster: Cluster) -> None:
    kafka = cluster.settings
    # waits for the coordinator, which a fresh broker has to make first, as every worker does
    check_kafka(kafka, group="a", topics=(REQUESTS,))
    cluster.submit(pairs(30, "old"))
    time.sleep(0.05)
    middle = datetime.now(UTC).isoformat()
    time.sleep(0.05)
    cluster.submit(pairs(12, "new"))

    def start(group: str, where: str) -> int:
        found = find_start(kafka, group=group, topic=REQUESTS, start=where, sample=True)
        assert found.new and (found.mean_bytes > 20) == (found.records > 0)
        return found.records

    assert [start("a", where) for where in ("earliest", middle, "latest")] == [42, 12, 0]
    assert start("a", "2999-01-01") == 0

    found = find_start(kafka, group="a", topic=REQUESTS, start=middle, sample=False)
    commit_start(kafka, group="a", topic=REQUESTS, start=found)
    client = admin(kafka)
    committed = client.list_group_offsets(
        {"a": [TopicPartition(REQUESTS.name, p) for p in range(REQUESTS.partitions)]}
    )["a"]
    client.close()
    assert {tp.partition: c.offset for tp, c in committed.items()} == found.offsets
    assert not find_start(kafka, group="a", topic=REQUESTS, start="latest", sample=True).new
