"""One Kafka, Valkey and Triton for all integration tests of a pytest worker, emptied between tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from judgestream.local.kafka import KafkaServer
from judgestream.local.triton import TritonServer
from judgestream.local.valkey import ValkeyServer
from tests.integration.cluster import Cluster, Servers, instant_triton

UNCLOSED = pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <socket.socket:pytest.PytestUnraisableExceptionWarning"
)
"""kafka-python does not close a socket that is still connecting when its client is closed."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(UNCLOSED)


@pytest.fixture(scope="session")
def shared_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServer]:
    with KafkaServer(data_dir=tmp_path_factory.mktemp("kafka")) as kafka:
        yield kafka


@pytest.fixture(scope="session")
def shared_triton(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TritonServer]:
    with instant_triton(tmp_path_factory.mktemp("triton")) as triton:
        yield triton


@pytest.fixture(scope="session")
def servers(
    tmp_path_factory: pytest.TempPathFactory,
    shared_kafka: KafkaServer,
    shared_triton: TritonServer,
) -> Iterator[Servers]:
    with ValkeyServer(data_dir=tmp_path_factory.mktemp("valkey")) as valkey:
        yield Servers(kafka=shared_kafka, valkey=valkey, triton=shared_triton)


@pytest.fixture
def cluster(tmp_path: Path, servers: Servers) -> Iterator[Cluster]:
    with servers.cluster(tmp_path) as cluster:
        yield cluster
