"""The security of one gRPC service: what its callers need, and what the service itself needs."""

from pathlib import Path

from pydantic import Field, model_validator

from judgestream.settings.group import Group


class Grpc(Group):
    """The base of the groups that name a gRPC service. Files are PEM; they are read when they are used."""

    tls: bool = Field(False, description="whether callers use TLS")
    ca_file: Path | None = Field(
        None, description="authority that callers trust; default: the system's"
    )
    certificate_file: Path | None = Field(
        None, description="certificate chain that callers show, for mutual TLS"
    )
    key_file: Path | None = Field(None, description="private key of certificate_file")
    server_name: str = Field(
        "",
        description="name that the server's certificate must have; default: the host that is called",
    )
    server_certificate_file: Path | None = Field(
        None, description="certificate chain of the service itself, which turns its TLS on"
    )
    server_key_file: Path | None = Field(None, description="private key of server_certificate_file")
    client_ca_file: Path | None = Field(
        None,
        description="authority of the callers' certificates; the service then refuses callers without one",
    )

    @model_validator(mode="after")
    def _files_belong_together(self) -> "Grpc":
        for first, second in (
            ("certificate_file", "key_file"),
            ("server_certificate_file", "server_key_file"),
        ):
            if (getattr(self, first) is None) != (getattr(self, second) is None):
                raise ValueError(f"{first} and {second} belong together: set both or none")
        if self.client_ca_file is not None and self.server_certificate_file is None:
            raise ValueError("client_ca_file needs server_certificate_file and server_key_file")
        used = [
            name
            for name in ("ca_file", "certificate_file", "server_name")
            if getattr(self, name) not in (None, "")
        ]
        if used and not self.tls:
            raise ValueError(f"{used[0]} has no effect without TLS: also set tls to true")
        return self
