"""The servers beside Kafka: Redis, Triton, and the hosts of images."""

from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator

from judgestream.core import limits
from judgestream.core.fleet.server_list import parse_servers
from judgestream.settings.group import Group


class Redis(Group):
    url: SecretStr = Field(
        SecretStr("redis://127.0.0.1:26379/0"), description="Redis that workers share; empty = none"
    )
    timeout_s: float = Field(0.5, gt=0, description="time limit of a call")
    prefix: str = Field("judgestream", description="prefix of every key")

    @field_validator("url")
    @classmethod
    def _is_url(cls, value: SecretStr) -> SecretStr:
        """Checked here, because the client's own error quotes parts of the password."""
        text = value.get_secret_value()
        try:
            parts = urlsplit(text)
            sound = parts.scheme == "unix" or (bool(parts.hostname) and parts.port != 0)
        except ValueError:
            sound = False
        if text and (not sound or parts.scheme not in ("redis", "rediss", "unix")):
            raise ValueError(
                "invalid URL: use redis://HOST:PORT/0, rediss:// for TLS, or unix://PATH; write / @ : # in"
                " a password as %2F %40 %3A %23"
            )
        return value


class Triton(Group):
    grpc: str = Field(
        "127.0.0.1:28001",
        description="Triton's gRPC address, host:port; several comma separated; dns:///name:port for every"
        " address of a name",
    )
    release: str = Field("", description="release to use; empty = the only judge loaded")
    control_key: SecretStr = Field(
        SecretStr(""), description="key to Triton's model control; empty = unrestricted"
    )
    device: Literal["cpu", "gpu"] = Field(
        "cpu",
        description="where judges run that `up`, `triton serve` and the rollout service install",
    )
    metrics_port: int = Field(
        0,
        ge=0,
        le=65535,
        description="metrics port of every Triton, for its free memory before a load; 0 = unknown",
    )

    @field_validator("grpc")
    @classmethod
    def _is_server_list(cls, value: str) -> str:
        parse_servers(value)
        return value


class Images(Group):
    fetch: bool = Field(False, description="whether workers fetch images by their URLs")
    allowed_hosts: str = Field(
        "",
        description="hosts to fetch from, comma separated, also *.example.com; empty = every public host",
    )
    deadline_s: float = Field(10.0, gt=0, description="time limit of fetching one image")
    max_bytes: int = Field(
        limits.IMAGE, ge=1, le=limits.IMAGE, description="largest image file that is fetched"
    )

    @property
    def hosts(self) -> tuple[str, ...]:
        """The entries of `allowed_hosts`."""
        return tuple(name.strip() for name in self.allowed_hosts.split(",") if name.strip())
