"""The arguments by which Triton's gRPC speaks TLS. Its HTTP cannot."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True, slots=True)
class TritonTls:
    """PEM files. Triton reads them at its start only.

    client_ca   authority of the clients' certificates; None lets every client in
    """

    certificate: Path
    key: Path
    client_ca: Path | None = None

    @property
    def arguments(self) -> tuple[str, ...]:
        own = (
            "--grpc-use-ssl=true",
            f"--grpc-server-cert={self.certificate.resolve()}",
            f"--grpc-server-key={self.key.resolve()}",
        )
        if self.client_ca is None:
            return own
        return (*own, "--grpc-use-ssl-mutual=true", f"--grpc-root-cert={self.client_ca.resolve()}")
