"""A broker with our topics."""

from contextlib import closing

import pytest

from judgestream.adapters.kafka.topics import admin, apply
from judgestream.local.kafka import KafkaServer
from judgestream.settings import Kafka
from tests.integration.cluster import empty, revive


@pytest.fixture
def kafka(shared_kafka: KafkaServer, monkeypatch: pytest.MonkeyPatch) -> Kafka:
    """A broker with our topics, all of them empty."""
    settings = Kafka(bootstrap=shared_kafka.bootstrap)
    monkeypatch.setenv("JUDGESTREAM_KAFKA__BOOTSTRAP", shared_kafka.bootstrap)
    revive(shared_kafka)
    empty(shared_kafka)
    with closing(admin(settings)) as client:
        apply(client, settings)
    return settings
