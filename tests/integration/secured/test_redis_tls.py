"""Redis with TLS and real certificates: what is refused says so at once, and renewed files are used."""

import shutil
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
from tests.integration.secured.redis_server import CERTIFICATE, SecuredRedis, secured_redis

pytestmark = pytest.mark.integration

PASSWORD = "pa55word"
SERVICE = "judging"
KEY = "judgestream:skip:k"
"""One that this service may write."""


@pytest.fixture(scope="module")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    with ValkeyServer(data_dir=tmp_path_factory.mktemp("v"), password=PASSWORD) as server:
        yield server


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[SecuredRedis]:
    with secured_redis(tmp_path / "redis", Authority(tmp_path / "ca")) as server:
        yield server


def login(redis: SecuredRedis, **other: object) -> Redis:
    """The settings of a service, with others in place of some."""
    values = {**redis.login(SERVICE), "password": redis.passwords[SERVICE], **other}
    return Redis.model_validate(values)


def refusal(settings: Redis) -> JudgestreamError:
    """The error of a check that must fail, in bounded time and without the password."""
    started = time.monotonic()
    with pytest.raises(JudgestreamError) as caught:
        check_redis(settings)
    assert time.monotonic() - started < 2 * REDIS_S
    secrets = {PASSWORD, settings.password.get_secret_value()} - {""}
    assert [secret for secret in secrets if secret in str(caught.value)] == []
    return caught.value


async def test_both_clients_work_over_tls_with_a_client_certificate(redis: SecuredRedis) -> None:
    settings = login(redis)
    assert check_redis(settings, service=SERVICE) == ""
    one = client(settings)
    assert one is not None
    with closing(one):
        assert one.set(KEY, "v")
    many = async_client(settings)
    assert many is not None
    batch = Batch(many)
    assert await batch.run(lambda p: p.get(KEY)) == b"v"
    assert redis.connected() == {redis.user(SERVICE)}
    await batch.close()


def test_no_other_port_is_open(redis: SecuredRedis) -> None:
    assert redis.ports() == {redis.port}


def test_a_certificate_that_cannot_be_trusted_is_named(redis: SecuredRedis, tmp_path: Path) -> None:
    other = Authority(tmp_path, name="other")
    unknown = refusal(login(redis, ca_file=other.file))
    assert "not trusted" in str(unknown) and "redis.ca_file" in str(unknown)
    assert "not trusted" in str(refusal(login(redis, ca_file=None))), "the system's authorities"
    assert check_redis(login(redis)) == ""
    redis.show(redis.authority.server("old", expired=True))
    assert "expired" in str(refusal(login(redis)))
    redis.show(redis.authority.server("away", hosts=("redis.example",)))
    wrong = refusal(login(redis))
    assert isinstance(wrong, ConfigurationError) and "127.0.0.1" in str(wrong)
    redis.show(redis.authority.server(CERTIFICATE))
    assert check_redis(login(redis)) == ""


def test_a_missing_or_foreign_client_certificate_is_named(
    redis: SecuredRedis, tmp_path: Path
) -> None:
    missing = refusal(login(redis, certificate_file=None, key_file=None))
    assert "requires a client certificate" in str(missing)
    assert "redis.certificate_file" in str(missing)
    # of the same name, and by the authority that the server's own certificate has
    for issuer in (Authority(tmp_path, name="foreign"), redis.authority):
        foreign = issuer.client(SERVICE)
        refused = refusal(login(redis, certificate_file=foreign.certificate, key_file=foreign.key))
        # the alert, unless the client's next write meets the closed connection first
        assert "redis.certificate_file" in str(refused)


def test_tls_to_a_plain_port_and_the_reverse_are_named(
    valkey: ValkeyServer, redis: SecuredRedis
) -> None:
    plain = refusal(login(redis, url=f"rediss://127.0.0.1:{valkey.port}/0"))
    assert "redis:// in redis.url if it does not use TLS" in str(plain)
    url = SecretStr(f"redis://{redis.address}/0")
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
    redis: SecuredRedis, tmp_path: Path
) -> None:
    settings = login(redis)
    one, many = client(settings), async_client(settings)
    assert one is not None and many is not None
    assert one.ping() and await many.ping()
    shown, own = redis.shown(), redis.identity(SERVICE)
    old = {
        "certificate_file": shutil.copy(own.certificate, tmp_path / "old.crt.pem"),
        "key_file": shutil.copy(own.key, tmp_path / "old.key.pem"),
    }
    redis.renew_certificates()
    assert redis.shown() != shown
    with suppress(ConnectionError):
        await many.ping()  # notices the lost connection
    assert one.ping() and await many.ping()
    assert "redis.certificate_file" in str(refusal(login(redis, **old)))
    one.close()
    await many.aclose()


def test_a_certificate_file_that_is_missing_is_named(tmp_path: Path) -> None:
    gone = tmp_path / "gone.pem"
    settings = Redis.model_validate(
        {"url": "rediss://127.0.0.1:1/0", "password": PASSWORD, "ca_file": gone}
    )
    assert f"redis.ca_file names {gone}" in str(refusal(settings))
