"""Redis behind TLS with real certificates: what is refused says so at once, and renewed files are used."""

import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
from pydantic import SecretStr
from redis.exceptions import ConnectionError

from judgestream.adapters.redis.batch import Batch
from judgestream.adapters.redis.checking import REDIS_S, check_redis
from judgestream.adapters.redis.client import async_client, client
from judgestream.core.errors import ConfigurationError, JudgestreamError, StoreUnavailable
from judgestream.local.valkey import ValkeyServer
from judgestream.settings import Redis
from tests.integration.secured.certificates import Authority
from tests.integration.secured.tls_front import TlsFront

pytestmark = pytest.mark.integration

PASSWORD = "pa55word"


@pytest.fixture(scope="module")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    with ValkeyServer(data_dir=tmp_path_factory.mktemp("v"), password=PASSWORD) as server:
        yield server


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


def tls(port: int, *, host: str = "127.0.0.1", **more: object) -> Redis:
    values = {"url": f"rediss://{host}:{port}/0", "password": PASSWORD, **more}
    return Redis.model_validate(values)


def refusal(settings: Redis) -> JudgestreamError:
    """The error of a check that must fail, in bounded time and without the password."""
    started = time.monotonic()
    with pytest.raises(JudgestreamError) as caught:
        check_redis(settings)
    assert time.monotonic() - started < 2 * REDIS_S
    assert PASSWORD not in str(caught.value)
    return caught.value


async def test_both_clients_work_over_tls_with_a_client_certificate(
    valkey: ValkeyServer, authority: Authority
) -> None:
    mine = authority.client("judging")
    with TlsFront(valkey.port, authority.server(), clients_of=authority) as front:
        settings = tls(
            front.port,
            ca_file=authority.file,
            certificate_file=mine.certificate,
            key_file=mine.key,
        )
        assert check_redis(settings) == ""
        one = client(settings)
        assert one is not None
        with closing(one):
            assert one.set("k", "v")
        many = async_client(settings)
        assert many is not None
        batch = Batch(many)
        assert await batch.run(lambda p: p.get("k")) == b"v"
        await batch.close()


def test_a_certificate_that_cannot_be_trusted_is_named(
    valkey: ValkeyServer, authority: Authority, tmp_path: Path
) -> None:
    other = Authority(tmp_path, name="other")
    with TlsFront(valkey.port, authority.server()) as front:
        unknown = refusal(tls(front.port, ca_file=other.file))
        assert "not trusted" in str(unknown) and "redis.ca_file" in str(unknown)
        assert "not trusted" in str(refusal(tls(front.port))), "the system's authorities"
    with TlsFront(valkey.port, authority.server("old", expired=True)) as front:
        assert "expired" in str(refusal(tls(front.port, ca_file=authority.file)))
    with TlsFront(valkey.port, authority.server("away", hosts=("redis.example",))) as front:
        wrong = refusal(tls(front.port, ca_file=authority.file))
        assert isinstance(wrong, ConfigurationError) and "127.0.0.1" in str(wrong)


def test_a_missing_or_foreign_client_certificate_is_named(
    valkey: ValkeyServer, authority: Authority, tmp_path: Path
) -> None:
    foreign = Authority(tmp_path, name="foreign").client("judging")
    with TlsFront(valkey.port, authority.server(), clients_of=authority) as front:
        missing = refusal(tls(front.port, ca_file=authority.file))
        assert "requires a client certificate" in str(missing)
        assert "redis.certificate_file" in str(missing)
        refused = refusal(
            tls(
                front.port,
                ca_file=authority.file,
                certificate_file=foreign.certificate,
                key_file=foreign.key,
            )
        )
        # the alert, unless the client's next write meets the closed connection first
        assert "redis.certificate_file" in str(refused)


def test_tls_to_a_plain_port_and_the_reverse_are_named(
    valkey: ValkeyServer, authority: Authority
) -> None:
    plain = refusal(tls(valkey.port, ca_file=authority.file))
    assert "redis:// in redis.url if it does not use TLS" in str(plain)
    with TlsFront(valkey.port, authority.server()) as front:
        url = SecretStr(f"redis://127.0.0.1:{front.port}/0")
        reverse = refusal(Redis(url=url, password=SecretStr(PASSWORD)))
        assert isinstance(reverse, StoreUnavailable) and "rediss://" in str(reverse)


def test_a_wrong_login_is_named(valkey: ValkeyServer) -> None:
    url = f"redis://127.0.0.1:{valkey.port}/0"
    none = refusal(Redis(url=SecretStr(url)))
    assert isinstance(none, ConfigurationError) and "set redis.password" in str(none)
    wrong = refusal(Redis(url=SecretStr(url), password=SecretStr("hunter2")))
    assert "refuses the login: check redis.username and redis.password" in str(wrong)
    assert "hunter2" not in str(wrong)
    unknown = refusal(Redis(url=SecretStr(url), username="nobody", password=SecretStr("hunter2")))
    assert isinstance(unknown, ConfigurationError) and "refuses the login" in str(unknown)


async def test_renewed_certificates_are_used_at_the_next_connection(
    valkey: ValkeyServer, authority: Authority
) -> None:
    mine = authority.client("renewed")
    with TlsFront(valkey.port, authority.server("s1"), clients_of=authority) as front:
        settings = tls(
            front.port,
            ca_file=authority.file,
            certificate_file=mine.certificate,
            key_file=mine.key,
        )
        one, many = client(settings), async_client(settings)
        assert one is not None and many is not None
        assert one.ping() and await many.ping()
        authority.client("renewed")
        front.drop_connections()
        with suppress(ConnectionError):
            await many.ping()  # notices the lost connection
        assert one.ping() and await many.ping()
        first, second, third, fourth = front.seen
        assert first == second and third == fourth and first != third
        one.close()
        await many.aclose()


def test_a_certificate_file_that_is_missing_is_named(authority: Authority, tmp_path: Path) -> None:
    gone = tmp_path / "gone.pem"
    assert f"redis.ca_file names {gone}" in str(refusal(tls(1, ca_file=gone)))
