import ssl
import stat
from pathlib import Path

import pytest

from tests.integration.secured.certificates import Authority
from tests.integration.secured.handshakes import client_context, handshake, server_context


def test_both_sides_accept_certificates_of_the_authority(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    server = server_context(authority, authority.server())
    for host in ("127.0.0.1", "localhost"):
        client = client_context(authority, authority.client("judging"))
        assert handshake(server, client, host=host) == "judging"


def test_renewed_certificate_is_another_one_of_the_same_authority(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    server = server_context(authority, authority.server())
    first = authority.client("judging", password="key password")
    before = first.certificate.read_bytes()
    second = authority.client("judging", password="key password")
    assert second == first
    assert second.certificate.read_bytes() != before
    client = client_context(authority, second, password="key password")
    assert handshake(server, client, host="127.0.0.1") == "judging"


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        ("expired", "certificate has expired"),
        ("host", "mismatch"),
        ("authority", "self-signed|unable to get"),
    ],
)
def test_bad_server_certificates_are_refused(tmp_path: Path, bad: str, why: str) -> None:
    authority = Authority(tmp_path)
    issuer = Authority(tmp_path, name="other") if bad == "authority" else authority
    hosts = ("elsewhere.test",) if bad == "host" else ("127.0.0.1",)
    certificate = issuer.server("bad", hosts=hosts, expired=bad == "expired")
    server = server_context(authority, certificate)
    client = client_context(authority, authority.client("judging"))
    with pytest.raises(ssl.SSLCertVerificationError, match=why):
        handshake(server, client, host="127.0.0.1")


def test_keys_are_readable_by_their_owner_only(tmp_path: Path) -> None:
    certificate = Authority(tmp_path).server()
    assert stat.S_IMODE(certificate.key.stat().st_mode) == 0o600
