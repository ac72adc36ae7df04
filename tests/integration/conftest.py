"""Servers for the integration tests: one Triton for all, a fresh Kafka and Valkey for each."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from judgestream.local.triton import TritonServer
from tests.integration.cluster import Cluster, instant_triton, running


@pytest.fixture(scope="session")
def shared_triton(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TritonServer]:
    with instant_triton(tmp_path_factory.mktemp("triton")) as triton:
        yield triton


@pytest.fixture
def cluster(tmp_path: Path, shared_triton: TritonServer) -> Iterator[Cluster]:
    with running(tmp_path, shared_triton) as cluster:
        yield cluster
