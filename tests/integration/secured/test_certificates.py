import socket
import ssl
import stat
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.integration.secured.certificates import Authority, Certificate


def handshake(server: ssl.SSLContext, client: ssl.SSLContext, *, host: str) -> str:
    """Subject CN that the server saw, after a real handshake over a local connection."""
    listener = socket.create_server(("127.0.0.1", 0))
    seen: list[str] = []

    def serve() -> None:
        try:
            with server.wrap_socket(listener.accept()[0], server_side=True) as accepted:
                peer: dict[str, Any] = accepted.getpeercert() or {}
                names = dict(pair for part in peer["subject"] for pair in part)
                seen.append(names["commonName"])
                accepted.send(b"x")
        except OSError:
            pass  # the client's own error is the test's

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with socket.create_connection(listener.getsockname(), timeout=5) as raw:
            with client.wrap_socket(raw, server_hostname=host) as connected:
                connected.recv(1)
    finally:
        listener.close()
        thread.join(timeout=5)
    return seen[0]


def server_context(authority: Authority, certificate: Certificate) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=authority.file)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(certificate.certificate, certificate.key)
    return context


def client_context(authority: Authority, certificate: Certificate, **key: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=authority.file)
    context.load_cert_chain(certificate.certificate, certificate.key, **key)
    return context


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
