"""Certificates on disk: what is wrong with them is named, and renewed ones are used at the next handshake."""

import logging
import re
from pathlib import Path

import pytest
from pydantic import SecretStr

from judgestream.adapters.kafka.tls import tls_context
from judgestream.core.errors import ConfigurationError
from judgestream.settings import Kafka
from tests.integration.secured.certificates import Authority
from tests.integration.secured.handshakes import handshake, server_context

PASSWORD = "key password"


def mutual(authority: Authority, name: str = "judging", *, password: str = "") -> Kafka:
    issued = authority.client(name, password=password or None)
    return Kafka(
        security="SSL",
        ca_file=authority.file,
        certificate_file=issued.certificate,
        key_file=issued.key,
        key_password=password,
    )


def test_a_renewed_certificate_is_used_without_a_new_context(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    server = server_context(authority, authority.server())
    settings = mutual(authority, password=PASSWORD)
    context = tls_context(settings)
    assert context is not None
    assert handshake(server, context, host="localhost") == "judging"
    other = authority.client("bias", password=PASSWORD)
    assert settings.certificate_file is not None and settings.key_file is not None
    other.certificate.replace(settings.certificate_file)
    other.key.replace(settings.key_file)
    assert handshake(server, context, host="localhost") == "bias"


def test_a_replaced_authority_is_no_longer_trusted(tmp_path: Path) -> None:
    old, new = Authority(tmp_path, name="old"), Authority(tmp_path, name="new")
    settings = mutual(old)
    context = tls_context(settings)
    assert context is not None
    served_by_old = server_context(old, old.server("old-server"))
    served_by_new = server_context(old, new.server("new-server"))
    assert handshake(served_by_old, context, host="localhost") == "judging"
    new.file.replace(old.file)
    assert handshake(served_by_new, context, host="localhost") == "judging"
    with pytest.raises(OSError, match="CERTIFICATE_VERIFY_FAILED"):
        handshake(served_by_old, context, host="localhost")


def test_half_a_renewal_keeps_the_certificate_before_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    authority = Authority(tmp_path)
    server = server_context(authority, authority.server())
    settings = mutual(authority)
    context = tls_context(settings)
    assert context is not None and settings.certificate_file is not None
    new = authority.client("bias")
    new.certificate.replace(settings.certificate_file)
    with caplog.at_level(logging.WARNING):
        assert handshake(server, context, host="localhost") == "judging"
        assert handshake(server, context, host="localhost") == "judging"
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "the key belongs to another certificate" in caplog.text
    assert settings.key_file is not None
    new.key.replace(settings.key_file)
    assert handshake(server, context, host="localhost") == "bias"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"key_password": SecretStr("wrong one")}, "password is wrong: set kafka.key_password"),
        ({"key_password": SecretStr("")}, "password is wrong: set kafka.key_password"),
        ({"key_file": Path("/nowhere/key.pem")}, "No such file or directory: check both paths"),
        ({"key_file": Path(__file__)}, "set both to PEM files"),
        ({"ca_file": Path("/nowhere/ca.pem")}, "kafka.ca_file /nowhere/ca.pem cannot be used"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(
    tmp_path: Path, change: dict[str, object], message: str
) -> None:
    settings = mutual(Authority(tmp_path), password=PASSWORD).model_copy(update=change)
    with pytest.raises(ConfigurationError, match=re.escape(message)) as refused:
        tls_context(settings)
    assert PASSWORD not in str(refused.value)


def test_a_key_of_another_certificate_is_named(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    settings = mutual(authority).model_copy(update={"key_file": authority.client("bias").key})
    with pytest.raises(ConfigurationError, match="the key belongs to another certificate"):
        tls_context(settings)
