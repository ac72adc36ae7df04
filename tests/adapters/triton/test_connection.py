"""A connection over TLS: why it fails, and that renewed certificates are used without losing a call."""

import asyncio
import os
from pathlib import Path

import grpc
import pytest

from judgestream.adapters.triton import connection as module
from judgestream.adapters.triton.connection import Connection
from judgestream.adapters.triton.fleet import Fleet
from judgestream.adapters.triton.fleet_judge import FleetJudge
from judgestream.adapters.triton.judge import TritonJudge
from judgestream.core.errors import JudgeUnavailable
from judgestream.core.fleet.server_list import parse_servers
from judgestream.core.probe import known_good
from judgestream.template_files import template_of
from tests.adapters.tls.servers import client_tls, secured
from tests.adapters.triton.small_server import NAME
from tests.integration.secured.certificates import Authority


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


async def ask(judge: TritonJudge | FleetJudge) -> str:
    (reply,) = await judge.ask(known_good(template_of(judge.release))[:1])
    return reply.text


async def test_a_judge_answers_over_mutual_tls(authority: Authority) -> None:
    tls = client_tls(authority, authority.client("worker"))
    async with secured(authority.server(), clients=authority.file) as server:
        async with Fleet(parse_servers(server.address), tls=tls) as fleet:
            judge = await FleetJudge.connect(fleet, NAME, deadline_s=5.0)
            assert await ask(judge) == "8 7"


async def test_a_failed_connection_says_which_setting_is_wrong(authority: Authority) -> None:
    async with secured(authority.server(), clients=authority.file) as server:
        with pytest.raises(JudgeUnavailable, match=r"set triton\.certificate_file") as alone:
            await TritonJudge.connect(
                server.address, NAME, deadline_s=5.0, tls=client_tls(authority)
            )
        assert server.address in str(alone.value)
        async with Fleet(parse_servers(server.address), tls=client_tls(authority)) as fleet:
            with pytest.raises(JudgeUnavailable, match=r"set triton\.certificate_file"):
                await FleetJudge.connect(fleet, NAME, deadline_s=5.0)
            (only,) = fleet.servers.values()
            await fleet.check(only)
            assert "triton.certificate_file" in only.reason


async def test_renewed_files_are_used_and_calls_in_flight_finish(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOOK_S", 0.0)
    tls = client_tls(authority, authority.client("worker"))
    async with secured(authority.server(), clients=authority.file, seconds=0.2) as server:
        connection = Connection(server.address, tls=tls)
        judge = await TritonJudge.open(connection, NAME, deadline_s=5.0)
        async with connection.client() as former:
            pass
        slow = asyncio.create_task(ask(judge))
        await asyncio.sleep(0.05)
        authority.client("worker")  # renewed in place
        async with connection.client() as renewed:
            assert renewed is not former
            assert await renewed.is_server_live()
        assert await slow == "8 7"
        with pytest.raises(grpc.aio.UsageError, match="closed"):  # the former channel
            await former.is_server_live()
        await connection.close()


async def test_wrong_new_files_leave_the_former_connection(
    authority: Authority, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "LOOK_S", 0.0)
    shown = authority.client("worker")
    tls = client_tls(authority, shown)
    async with secured(authority.server(), clients=authority.file) as server:
        connection = Connection(server.address, tls=tls)
        shown.key.write_text("half of a key")
        for _ in range(3):
            async with connection.client() as client:
                assert await client.is_server_live()
        later = Connection(server.address, tls=tls)  # as the files were before
        async with later.client() as opened:
            assert await opened.is_server_live()
        await later.close()
        assert caplog.text.count("is not renewed") == 1
        authority.client("worker")
        os.utime(shown.certificate)
        async with connection.client() as renewed:
            assert renewed is not client
        await connection.close()


async def test_a_server_uses_its_renewed_certificate_for_new_connections(
    authority: Authority,
) -> None:
    other = Authority(authority.folder, name="other")
    async with secured(authority.server()) as server:
        before = Connection(server.address, tls=client_tls(authority))
        async with before.client() as client:
            assert await client.is_server_live()
        other.server()  # the same files, by another authority
        after = Connection(server.address, tls=client_tls(other))
        async with after.client() as client:
            assert await client.is_server_live()
        async with before.client() as client:  # an open connection stays
            assert await client.is_server_live()
        await before.close()
        await after.close()
