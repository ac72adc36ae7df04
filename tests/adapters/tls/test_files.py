"""The error about a wrong file names its setting."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from judgestream.adapters.kafka.tls import tls_context
from judgestream.adapters.kafka.tokens import FileToken
from judgestream.adapters.otel.exporters import Exporters
from judgestream.adapters.tls.client import PLAINTEXT, ClientTls
from judgestream.adapters.tls.server import ServerTls
from judgestream.core.errors import ConfigurationError
from judgestream.settings import Kafka, Rollout, Telemetry, Triton
from tests.adapters.tls.servers import client_tls
from tests.integration.secured.certificates import Authority


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def test_plain_text_has_no_credentials() -> None:
    assert PLAINTEXT.credentials() is None
    assert PLAINTEXT.options == []


def test_a_missing_or_wrong_file_of_a_client(authority: Authority, tmp_path: Path) -> None:
    empty = tmp_path / "empty.pem"
    empty.write_text("nothing")
    shown = authority.client("worker")
    other = authority.client("other")
    secret = authority.client("locked", password="geheim")  # noqa: S106 - of this test
    cases: tuple[tuple[ClientTls, dict[str, Path], str], ...] = (
        (client_tls(authority, shown), {"ca_file": tmp_path / "none"}, "triton.ca_file .*No such"),
        (client_tls(authority, shown), {"ca_file": empty}, "triton.ca_file .*no certificate"),
        (client_tls(authority, shown), {"key_file": other.key}, "belong together"),
        (
            client_tls(authority, shown),
            {"key_file": tmp_path / "none"},
            "triton.key_file .*No such",
        ),
        (client_tls(authority, secret), {}, "triton.key_file .*encrypted"),
    )
    for tls, changes, text in cases:
        fields = {name: getattr(tls, name) for name in ("ca_file", "certificate_file", "key_file")}
        changed = ClientTls(group="triton", enabled=True, **{**fields, **changes})
        with pytest.raises(ConfigurationError, match=text) as caught:
            changed.credentials()
        assert "geheim" not in str(caught.value)


def test_a_wrong_file_of_a_server(authority: Authority, tmp_path: Path) -> None:
    shown = authority.server()
    settings = Rollout(
        server_certificate_file=shown.certificate,
        server_key_file=shown.key,
        client_ca_file=tmp_path / "none",
    )
    tls = ServerTls.of(settings, "rollout")
    assert tls is not None
    with pytest.raises(ConfigurationError, match=r"rollout\.client_ca_file"):
        tls.credentials()
    assert ServerTls.of(Rollout(), "rollout") is None


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"tls": True, "certificate_file": "a"}, "certificate_file and key_file belong together"),
        ({"server_key_file": "a"}, "server_certificate_file and server_key_file belong together"),
        ({"client_ca_file": "a"}, "client_ca_file needs server_certificate_file"),
        ({"ca_file": "a"}, "also set tls to true"),
        ({"movers": "ops"}, "needs client_ca_file"),
    ],
)
def test_settings_that_contradict_each_other(fields: dict[str, object], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        Rollout.model_validate(fields)


def test_a_pipe_or_a_device_is_refused_at_once(authority: Authority, tmp_path: Path) -> None:
    """Opening a pipe waits for its writer: a worker would hang at its start, or when files change."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    shown = authority.client("worker")
    for field in ("ca_file", "certificate_file", "key_file"):
        named: dict[str, Any] = {field: pipe}
        with pytest.raises(
            ConfigurationError, match=f"triton.{field} names .*pipe, which is not a"
        ):
            replace(client_tls(authority, shown), **named).credentials()
    for name in ("ca_file", "certificate_file", "key_file"):
        files: dict[str, Any] = {
            "certificate_file": shown.certificate,
            "key_file": shown.key,
            name: pipe,
        }
        with pytest.raises(ConfigurationError, match=f"kafka.{name} names .*pipe, which is not a"):
            tls_context(Kafka(security="SSL", **files))
    with pytest.raises(ConfigurationError, match="kafka.token_file names .*pipe, which is not a"):
        FileToken(pipe)()
    with pytest.raises(ConfigurationError, match="telemetry.ca_file names /dev/zero, which is not"):
        Exporters(Telemetry(endpoint="https://127.0.0.1:1", ca_file=Path("/dev/zero")))


def test_the_home_of_nobody_is_a_file_that_is_missing() -> None:
    tls = ClientTls.of(Triton(tls=True, ca_file=Path("~no-such-user/ca.pem")), "triton")
    with pytest.raises(
        ConfigurationError, match="triton.ca_file names ~no-such-user.*No such file"
    ):
        tls.credentials()
