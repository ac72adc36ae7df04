"""Traces: their receiver, and how many are made."""

import re
from pathlib import Path

from pydantic import Field, SecretStr, field_validator

from judgestream.settings.group import Group
from judgestream.settings.texts import entries, url_parts


class Telemetry(Group):
    """Traces by OTLP. Off without an endpoint."""

    endpoint: str = Field(
        "",
        description="OTLP receiver for traces, gRPC: http://HOST:4317, or https:// for TLS; empty = none",
    )
    headers: SecretStr = Field(
        SecretStr(""),
        description="headers of every export, such as an API key: NAME=VALUE, comma separated",
    )
    ca_file: Path | None = Field(
        None, description="certificate authority file for https; default: the system's"
    )
    sample_ratio: float = Field(
        0.01,
        ge=0,
        le=1,
        description="share of the requests without a traceparent that are traced; with one, its flag decides",
    )
    max_traces_per_s: float = Field(
        50.0,
        gt=0,
        description="most traces per second and worker, also of requests with a traceparent",
    )
    explanations: bool = Field(
        False, description="whether evaluation events repeat the explanations of judges"
    )
    triton_endpoint: str = Field(
        "",
        description="OTLP receiver for Triton's own spans, HTTP: http://HOST:4318/v1/traces; empty = none",
    )

    @field_validator("triton_endpoint")
    @classmethod
    def _is_traces_url(cls, value: str) -> str:
        """Without a comma, which would begin another setting of Triton."""
        if value and re.fullmatch(r"https?://[^\s,@]+/v1/traces", value) is None:
            raise ValueError("invalid URL: use http://HOST:4318/v1/traces")
        return value

    @field_validator("endpoint")
    @classmethod
    def _is_url(cls, value: str) -> str:
        """The error does not quote the URL, which may contain a password that belongs in `headers`."""
        parts = url_parts(value, ("http", "https"))
        more = parts is None or "@" in value or parts.path not in ("", "/") or bool(parts.query)
        if value and more:
            raise ValueError("invalid URL: use http://HOST:4317, or https://HOST:4317 for TLS")
        return value

    @field_validator("headers")
    @classmethod
    def _are_pairs(cls, value: SecretStr) -> SecretStr:
        """The error does not quote them."""
        for pair in entries(value.get_secret_value()):
            name, equals, content = pair.partition("=")
            if not equals or not _is_header(name, content):
                raise ValueError(
                    "invalid headers: use NAME=VALUE, comma separated; names have letters, digits, - and _,"
                    " values printable ASCII"
                )
        return value

    @property
    def header_pairs(self) -> tuple[tuple[str, str], ...]:
        """The headers as gRPC takes them: names in lower case."""
        split = (pair.partition("=") for pair in entries(self.headers.get_secret_value()))
        return tuple((name.strip().lower(), content.strip()) for name, _, content in split)


def _is_header(name: str, content: str) -> bool:
    return (
        name.strip().replace("-", "").replace("_", "").isalnum()
        and name.isascii()
        and content.isascii()
        and content.isprintable()
    )
