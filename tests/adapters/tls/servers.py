"""A small Triton behind TLS, and the settings of its callers."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from judgestream.adapters.tls.client import ClientTls
from judgestream.adapters.tls.server import ServerTls
from tests.adapters.triton.small_server import SmallTriton
from tests.integration.secured.certificates import Authority, Certificate


def client_tls(
    trusted: Authority, shown: Certificate | None = None, *, server_name: str = ""
) -> ClientTls:
    return ClientTls(
        group="triton",
        enabled=True,
        ca_file=trusted.file,
        certificate_file=None if shown is None else shown.certificate,
        key_file=None if shown is None else shown.key,
        server_name=server_name,
    )


@asynccontextmanager
async def secured(
    shown: Certificate, *, clients: Path | None = None, seconds: float = 0.0
) -> AsyncIterator[SmallTriton]:
    """Args: clients: file of the authority whose clients may connect; None lets everybody in."""
    tls = ServerTls(
        group="triton",
        certificate_file=shown.certificate,
        key_file=shown.key,
        client_ca_file=clients,
    )
    server = SmallTriton(credentials=tls.credentials(), seconds=seconds)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()
