"""The Redis users of the services on a real Valkey: what they may, and what Redis refuses at the start."""

import logging
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest
from pydantic import SecretStr
from redis.exceptions import NoPermissionError, ResponseError

from judgestream.adapters.redis.access import ACCESS, SERVICES, Access
from judgestream.adapters.redis.checking import check_redis
from judgestream.adapters.redis.client import async_client, client
from judgestream.adapters.redis.drain_store import DrainStore
from judgestream.adapters.redis.worker_board import WorkerBoard
from judgestream.apps.worker.board_keeper import on_board
from judgestream.apps.worker.status import WorkerStatus
from judgestream.core.errors import ConfigurationError, StoreUnavailable
from judgestream.local.valkey import ValkeyServer
from judgestream.settings import Redis
from judgestream.terminal.exit_codes import ExitCode
from tests.integration.cluster import wait
from tests.integration.secured.valkey import Started, started

pytestmark = pytest.mark.integration

PASSWORD = "pa55word"


@pytest.fixture(scope="module")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    server = started(tmp_path_factory.mktemp("v"), dict.fromkeys(SERVICES, PASSWORD))
    try:
        server.wait()
        yield server
    finally:
        server.process.stop()


def login(valkey: Started, service: str) -> Redis:
    return Redis(
        url=SecretStr(f"redis://127.0.0.1:{valkey.port}/0"),
        username=SERVICES[service].user("judgestream"),
        password=SecretStr(PASSWORD),
    )


def test_deploy_starts_it_with_no_password_among_the_arguments_and_no_open_user(
    valkey: Started, tmp_path: Path
) -> None:
    words = psutil.Process(valkey.process.pid).cmdline()
    assert "valkey-server" in words[0] and PASSWORD not in " ".join(words)
    with pytest.raises(ConfigurationError, match="requires a login"):
        check_redis(Redis(url=SecretStr(f"redis://127.0.0.1:{valkey.port}/0")))
    refused = started(tmp_path, dict.fromkeys(SERVICES, "x on allkeys")).process
    wait(lambda: refused.poll() is not None, what="the start to be refused", seconds=10)
    assert refused.poll() == 2 and "letters, digits" in refused.log_tail()
    assert "allkeys" not in refused.log_tail()


@pytest.mark.parametrize("row", ACCESS, ids=lambda row: row.service)
def test_each_user_has_the_rights_of_its_service_and_no_others(
    valkey: Started, row: Access
) -> None:
    settings = login(valkey, row.service)
    assert check_redis(settings, service=row.service) == ""
    one = client(settings)
    assert one is not None
    with closing(one):
        for forbidden in (one.flushall, one.config_get, one.keys, one.acl_list):
            with pytest.raises(NoPermissionError):
                forbidden()
        with pytest.raises(NoPermissionError):
            one.get("another:key")
        with pytest.raises(ResponseError, match="No permissions to access a key"):
            one.eval("return redis.call('GET', 'another:key')", 0)
        if row.service != "operator":
            with pytest.raises(NoPermissionError):
                one.set(
                    "judgestream:triton:draining"
                    if row.service != "rollout"
                    else "judgestream:bias:watermark",
                    "x",
                )


async def test_clients_send_nothing_that_their_users_may_not(valkey: Started) -> None:
    operator = client(login(valkey, "operator"))
    assert operator is not None
    with closing(operator):
        refused = operator.info("stats")["acl_access_denied_cmd"]
        one, many = client(login(valkey, "judging")), async_client(login(valkey, "judging"))
        assert one is not None and many is not None
        assert one.ping() and await many.ping()
        assert operator.info("stats")["acl_access_denied_cmd"] == refused
        one.close()
        await many.aclose()


def test_a_missing_right_is_named_and_nothing_is_executed(valkey: Started) -> None:
    with pytest.raises(ConfigurationError) as caught:
        check_redis(login(valkey, "judging"), service="bias")
    told = str(caught.value)
    assert "judgestream-judging lacks rights of the bias service" in told
    assert "+hlen" in told and "~judgestream:bias:*" in told and "+get " not in told
    assert "judgestream redis users" in told and PASSWORD not in told
    operator = client(login(valkey, "operator"))
    assert operator is not None
    with closing(operator):
        assert list(operator.scan_iter()) == []


def test_a_worker_refuses_to_start_without_its_rights(valkey: Started) -> None:
    status = WorkerStatus(kind="bias", slot=0, group="g")
    with pytest.raises(ConfigurationError, match="lacks rights of the bias service"):
        with on_board(login(valkey, "shadow"), status):
            pytest.fail("it started")


def test_a_refused_command_is_not_a_missing_entry(valkey: Started) -> None:
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


@pytest.mark.parametrize(("kind", "name"), [("judging", "PASSWORD"), ("bias", "URL")])
def test_a_worker_with_a_wrong_password_ends_without_printing_it(
    valkey: Started, monkeypatch: pytest.MonkeyPatch, kind: str, name: str
) -> None:
    canary = "canary-in-the-login"
    login = f"judgestream-{kind}:{canary}@" if name == "URL" else ""
    monkeypatch.setenv("JUDGESTREAM_REDIS__URL", f"redis://{login}127.0.0.1:{valkey.port}/0")
    if name == "PASSWORD":
        monkeypatch.setenv("JUDGESTREAM_REDIS__USERNAME", f"judgestream-{kind}")
        monkeypatch.setenv("JUDGESTREAM_REDIS__PASSWORD", canary)
    done = subprocess.run(
        [sys.executable, "-m", "judgestream.apps.cli", "--debug", "worker", kind],
        capture_output=True,
        text=True,
        timeout=60,
    )
    told = done.stdout + done.stderr
    assert done.returncode == ExitCode.USAGE, told
    assert "Redis refuses the login" in told
    assert canary not in told
