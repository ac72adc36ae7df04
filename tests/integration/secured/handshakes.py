"""A real TLS handshake over a local connection."""

import socket
import ssl
import threading
from typing import Any

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


def shown_certificate(address: str, authority: Authority, client: Certificate | None = None) -> str:
    """The certificate that a server shows now. `client`: our own, for a server that asks for one."""
    host, _, port = address.rpartition(":")
    context = ssl.create_default_context(cafile=authority.file)
    if client is not None:
        context.load_cert_chain(client.certificate, client.key)
    with (
        socket.create_connection((host, int(port)), 5) as connection,
        context.wrap_socket(connection, server_hostname=host) as secured,
    ):
        return ssl.DER_cert_to_PEM_cert(secured.getpeercert(binary_form=True) or b"")


def answer_in_plain_text(address: str, said: bytes) -> bytes:
    """The first bytes that a server answers to plain text; b"" if it ends the connection or says nothing."""
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), 5) as connection:
        connection.settimeout(2)
        try:
            connection.sendall(said)
            return connection.recv(64)
        except OSError:
            return b""
