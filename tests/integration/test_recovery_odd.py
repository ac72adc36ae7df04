"""A backup of whatever other producers have written can be restored, and is the same afterwards."""

import asyncio
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from judgestream.adapters.kafka.reading import TopicReader
from judgestream.adapters.kafka.topics import admin
from judgestream.apps.recovery.backup import back_up
from judgestream.apps.recovery.restore import restore
from judgestream.contracts.topics import LABELS
from judgestream.settings import Kafka, Settings
from judgestream.v1.judging_pb2 import Label
from tests.integration import odd_records
from tests.integration.cluster import Cluster, wait
from tests.integration.raw_batches import put

pytestmark = pytest.mark.integration


def content(kafka: Kafka) -> Iterator[tuple[Any, ...]]:
    """Every record in the order of its partition, as our readers see it."""
    with TopicReader(kafka, LABELS, Label) as reader:
        for one in reader.read(reader.beginning(), until=reader.end()):
            found = one.record
            headers = tuple((name, value or b"") for name, value in found.headers)
            yield found.partition, found.time, found.key, found.value, headers


def test_odd_records_are_restored(cluster: Cluster, tmp_path: Path) -> None:
    settings = Settings(kafka=cluster.settings)
    odd = [*odd_records.general(LABELS.name, "odd-"), *odd_records.labels()]
    batches = [(LABELS.name, k % LABELS.partitions, one.batch) for k, one in enumerate(odd)]
    asyncio.run(put(cluster.kafka.bootstrap, batches))
    before = sorted(content(cluster.settings), key=lambda row: row[0])
    assert len(before) > 30
    assert {row[1] for row in before} > {None}, "there is a record without a usable time"
    assert any(not value for row in before for _, value in row[4]), "and an empty header"

    back_up(settings, tmp_path / "backup", [LABELS], models=None, tell=lambda told: None)
    with closing(admin(cluster.settings)) as client:
        client.delete_topics([LABELS.name])
        wait(
            lambda: LABELS.name not in client.list_topics(),
            what="the topic to be deleted",
            seconds=30,
        )
    restore(settings, tmp_path / "backup", models=None, tell=lambda told: None)
    assert sorted(content(cluster.settings), key=lambda row: row[0]) == before
