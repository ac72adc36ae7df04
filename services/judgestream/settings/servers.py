"""The servers beside Kafka: Redis, Triton, and the hosts of images."""

from pathlib import Path
from typing import Literal
from urllib.parse import parse_qs, urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from judgestream.core import limits
from judgestream.core.fleet.server_list import parse_servers
from judgestream.settings.group import Group
from judgestream.settings.grpc import Grpc
from judgestream.settings.texts import entries, url_parts


class Redis(Group):
    url: SecretStr = Field(
        SecretStr("redis://127.0.0.1:26379/0"), description="Redis that workers share; empty = none"
    )
    username: str = Field(
        "", description="Redis user; empty = the one in the URL, or the default user"
    )
    password: SecretStr = Field(SecretStr(""), description="password of the Redis user")
    ca_file: Path | None = Field(
        None, description="certificate authority file for rediss://; default: the system's"
    )
    certificate_file: Path | None = Field(
        None, description="client certificate for rediss://, with its chain"
    )
    key_file: Path | None = Field(None, description="private key of the client certificate")
    timeout_s: float = Field(0.5, gt=0, description="time limit of a call")
    prefix: str = Field("judgestream", description="prefix of every key")

    @property
    def uses_tls(self) -> bool:
        return self.url.get_secret_value().startswith("rediss://")

    @field_validator("url")
    @classmethod
    def _is_url(cls, value: SecretStr) -> SecretStr:
        """Checked here, because the client's own error quotes parts of the password."""
        text = value.get_secret_value()
        if text and url_parts(text, ("redis", "rediss", "unix")) is None:
            raise ValueError(
                "invalid URL: use redis://HOST:PORT/0, rediss:// for TLS, or unix://PATH; write / @ : # in"
                " a password as %2F %40 %3A %23"
            )
        return value

    @model_validator(mode="after")
    def _login_and_tls_agree(self) -> "Redis":
        parts = urlsplit(self.url.get_secret_value())
        in_url = {"username", "password"} & parse_qs(parts.query).keys()
        if (parts.username or parts.password or in_url) and (
            self.username or self.password.get_secret_value()
        ):
            raise ValueError(
                "the login is given twice: remove it from redis.url, or unset redis.username and"
                " redis.password"
            )
        files = {
            f"redis.{name}": getattr(self, name)
            for name in ("ca_file", "certificate_file", "key_file")
        }
        given = [name for name, file in files.items() if file is not None]
        if given and not self.uses_tls:
            raise ValueError(
                f"{' and '.join(given)} need TLS: write rediss:// in redis.url, or unset them"
            )
        if self.key_file is not None and self.certificate_file is None:
            raise ValueError("redis.key_file needs redis.certificate_file")
        return self


class Triton(Grpc):
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
        return entries(self.allowed_hosts)
