"""Every reason for which TLS refuses a connection is found, with the setting that repairs it."""

import asyncio
from pathlib import Path

import pytest

from judgestream.adapters.tls.client import PLAINTEXT, ClientTls
from judgestream.adapters.tls.handshake import tls_problem
from judgestream.local.ports import free_port
from tests.adapters.tls.servers import client_tls, secured
from tests.adapters.triton.small_server import small_tritons
from tests.integration.secured.certificates import Authority


@pytest.fixture
def ours(tmp_path: Path) -> Authority:
    return Authority(tmp_path, name="ours")


@pytest.fixture
def foreign(tmp_path: Path) -> Authority:
    return Authority(tmp_path, name="foreign")


async def problem(address: str, tls: ClientTls) -> str:
    return await asyncio.to_thread(tls_problem, address, tls)


async def test_nothing_is_wrong_where_tls_works(ours: Authority) -> None:
    async with secured(ours.server()) as server:
        assert await problem(server.address, client_tls(ours)) == ""
    async with secured(ours.server(), clients=ours.file) as server:
        assert await problem(server.address, client_tls(ours, ours.client("worker"))) == ""


async def test_what_is_wrong_with_the_servers_certificate(
    ours: Authority, foreign: Authority
) -> None:
    async with secured(ours.server()) as server:
        assert "set triton.ca_file" in await problem(server.address, client_tls(foreign))
        other_name = client_tls(ours, server_name="triton.example")
        assert "not for triton.example" in await problem(server.address, other_name)
    async with secured(ours.server("named", hosts=("triton.example",))) as server:
        assert "triton.server_name" in await problem(server.address, client_tls(ours))
        assert await problem(server.address, other_name) == ""
    async with secured(ours.server("old", expired=True)) as server:
        assert "has expired" in await problem(server.address, client_tls(ours))


async def test_what_is_wrong_with_the_clients_certificate(
    ours: Authority, foreign: Authority
) -> None:
    async with secured(ours.server(), clients=ours.file) as server:
        assert "set triton.certificate_file" in await problem(server.address, client_tls(ours))
        for shown in (foreign.client("stranger"), ours.client("late", expired=True)):
            found = await problem(server.address, client_tls(ours, shown))
            assert "refuses the client certificate of triton.certificate_file" in found


async def test_plain_text_on_one_side_only(ours: Authority) -> None:
    async with secured(ours.server()) as server:
        assert "set triton.tls to true" in await problem(server.address, PLAINTEXT)
    async with secured(ours.server(), clients=ours.file) as server:
        assert "set triton.tls to true" in await problem(server.address, PLAINTEXT)
    async with small_tritons(1) as (server,):
        assert "set triton.tls to false" in await problem(server.address, client_tls(ours))
        assert await problem(server.address, PLAINTEXT) == ""


async def test_nothing_is_said_about_a_server_that_is_down_or_no_tcp_address(
    ours: Authority,
) -> None:
    assert await problem(f"127.0.0.1:{free_port()}", client_tls(ours)) == ""
    assert await problem("unix:/nowhere", client_tls(ours)) == ""
