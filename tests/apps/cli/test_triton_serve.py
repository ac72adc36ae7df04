"""What `judgestream triton serve` refuses, and what it says about renewed certificates."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from judgestream.adapters.tls.server import ServerTls
from judgestream.adapters.triton.control import OPEN, RESTRICTED, restrictions
from judgestream.apps.cli.triton.serve import renewal, require_key
from judgestream.core.errors import ConfigurationError
from judgestream.local.triton_tls import TritonTls
from tests.integration.secured.certificates import Authority

KEY = SecretStr("5ec4e7")


def test_a_triton_that_others_reach_needs_a_control_key() -> None:
    require_key("127.0.0.1", SecretStr(""))
    require_key("10.0.0.7", KEY)
    with pytest.raises(ConfigurationError, match=r"triton\.control_key"):
        require_key("10.0.0.7", SecretStr(""))


def test_with_tls_http_is_closed_by_a_key_that_nobody_has() -> None:
    (plain,) = restrictions(SecretStr(""), tls=True)
    on_grpc, on_http = restrictions(KEY, tls=True)
    assert on_grpc.endswith("judgestream-control=5ec4e7")
    for rule in (plain, on_http):
        groups, _, secret = rule.removeprefix("--http-restricted-api=").partition(":")
        assert set(groups.split(",")) == {*RESTRICTED, *OPEN}
        assert len(secret) > 64
        assert KEY.get_secret_value() not in secret
    assert plain != on_http
    assert restrictions(SecretStr("")) == ()


def test_the_arguments_of_tls(tmp_path: Path) -> None:
    tls = TritonTls(certificate=tmp_path / "c", key=tmp_path / "k")
    assert tls.arguments == (
        "--grpc-use-ssl=true",
        f"--grpc-server-cert={tmp_path / 'c'}",
        f"--grpc-server-key={tmp_path / 'k'}",
    )
    mutual = TritonTls(certificate=tmp_path / "c", key=tmp_path / "k", client_ca=tmp_path / "a")
    assert mutual.arguments[3:] == (
        "--grpc-use-ssl-mutual=true",
        f"--grpc-root-cert={tmp_path / 'a'}",
    )


def test_a_renewal_is_reported_once(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    shown = authority.server()
    text = renewal(
        ServerTls(group="triton", certificate_file=shown.certificate, key_file=shown.key)
    )
    assert text() == ""
    authority.server()
    assert "restart this Triton" in text()
    assert text() == ""
    assert renewal(None)() == ""
