"""The Redis users of the services on a real Valkey: what they may, and what Redis refuses at the start."""

import logging
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import redis
from pydantic import SecretStr
from redis.exceptions import NoPermissionError, ResponseError

from judgestream.adapters.redis.access import ACCESS, SERVICES, Access
from judgestream.adapters.redis.checking import check_redis
from judgestream.adapters.redis.drain_store import DrainStore
from judgestream.adapters.redis.worker_board import WorkerBoard
from judgestream.apps.worker.board_keeper import on_board
from judgestream.apps.worker.status import WorkerStatus
from judgestream.core.errors import ConfigurationError, StoreUnavailable
from judgestream.local.valkey import ValkeyServer
from judgestream.settings import Redis

pytestmark = pytest.mark.integration

PASSWORD = "pa55word"


@pytest.fixture(scope="module")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    more = [
        f"user {row.user('judgestream')} on >{PASSWORD} {row.rules('judgestream')}"
        for row in ACCESS
    ]
    with ValkeyServer(data_dir=tmp_path_factory.mktemp("v"), more=more) as server:
        yield server


def login(valkey: ValkeyServer, service: str) -> Redis:
    return Redis(
        url=SecretStr(f"redis://127.0.0.1:{valkey.port}/0"),
        username=SERVICES[service].user("judgestream"),
        password=SecretStr(PASSWORD),
    )


@pytest.mark.parametrize("row", ACCESS, ids=lambda row: row.service)
def test_each_user_has_the_rights_of_its_service_and_no_others(
    valkey: ValkeyServer, row: Access
) -> None:
    settings = login(valkey, row.service)
    assert check_redis(settings, service=row.service) == ""
    with closing(
        redis.Redis(port=valkey.port, username=settings.username, password=PASSWORD, protocol=2)
    ) as client:
        for forbidden in (client.flushall, client.config_get, client.keys, client.acl_list):
            with pytest.raises(NoPermissionError):
                forbidden()
        with pytest.raises(NoPermissionError):
            client.get("another:key")
        with pytest.raises(ResponseError, match="No permissions to access a key"):
            client.eval("return redis.call('GET', 'another:key')", 0)
        if row.service != "operator":
            with pytest.raises(NoPermissionError):
                client.set(
                    "judgestream:triton:draining"
                    if row.service != "rollout"
                    else "judgestream:bias:watermark",
                    "x",
                )


def test_a_missing_right_is_named_and_nothing_is_executed(valkey: ValkeyServer) -> None:
    with pytest.raises(ConfigurationError) as caught:
        check_redis(login(valkey, "judging"), service="bias")
    told = str(caught.value)
    assert "judgestream-judging lacks rights of the bias service" in told
    assert "+hlen" in told and "~judgestream:bias:*" in told and "+get " not in told
    assert "judgestream redis users" in told and PASSWORD not in told
    with closing(redis.Redis(port=valkey.port)) as client:
        assert client.keys("*") == []


def test_a_worker_refuses_to_start_without_its_rights(valkey: ValkeyServer) -> None:
    status = WorkerStatus(kind="bias", slot=0, group="g")
    with pytest.raises(ConfigurationError, match="lacks rights of the bias service"):
        with on_board(login(valkey, "shadow"), status):
            pytest.fail("it started")


def test_a_refused_command_is_not_a_missing_entry(valkey: ValkeyServer) -> None:
    store = DrainStore.connect(login(valkey, "bias"))
    assert store is not None
    with store, pytest.raises(StoreUnavailable, match="lacks a right"):
        store.draining()


def test_a_cluster_is_refused_by_name(tmp_path: Path) -> None:
    with ValkeyServer(data_dir=tmp_path, more=["cluster-enabled yes"]) as server:
        settings = Redis(url=SecretStr(server.url))
        for kind in ("judging", "shadow", "bias", "rollout"):
            with pytest.raises(ConfigurationError, match=r"redis\.url names a server in cluster"):
                with on_board(settings, WorkerStatus(kind=kind, slot=0)):
                    pytest.fail("it started")
        board = WorkerBoard.connect(settings)
        assert board is not None
        with board, pytest.raises(StoreUnavailable, match=r"redis\.url names a server in cluster"):
            board.workers()


def test_a_redis_without_a_file_is_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with ValkeyServer(data_dir=tmp_path, more=["appendonly no"]) as server:
        settings = Redis(url=SecretStr(server.url))
        assert "set appendonly yes" in check_redis(settings)
        with caplog.at_level(logging.WARNING):
            with on_board(settings, WorkerStatus(kind="bias", slot=0, group="g")):
                pass
    assert "set appendonly yes" in caplog.text
