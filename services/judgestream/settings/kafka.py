"""Kafka: its brokers, and who we are to them."""

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_validator, model_validator

from judgestream.settings.group import Group
from judgestream.settings.texts import entries, url_parts

OAUTH = "OAUTHBEARER"

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


class Kafka(Group):
    bootstrap: str = Field("127.0.0.1:29092", description="brokers as host:port, comma separated")
    security: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="security protocol"
    )
    ca_file: Path | None = Field(
        None, description="certificate authority file; default: the system's"
    )
    certificate_file: Path | None = Field(
        None, description="our own certificate (PEM), for a broker that asks for one"
    )
    key_file: Path | None = Field(None, description="private key of certificate_file (PEM)")
    key_password: SecretStr = Field(SecretStr(""), description="password of an encrypted key_file")
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] = Field(
        "SCRAM-SHA-512", description="SASL mechanism"
    )
    username: str = Field("", description="SASL user")
    password: SecretStr = Field(SecretStr(""), description="SASL password")
    token_file: Path | None = Field(
        None, description="OAUTHBEARER: file with the token, read again for every login"
    )
    token_endpoint: str = Field(
        "", description="OAUTHBEARER: https address that issues tokens for client_id"
    )
    client_id: str = Field("", description="OAUTHBEARER: our name at the token_endpoint")
    client_secret: SecretStr = Field(
        SecretStr(""), description="OAUTHBEARER: our secret at the token_endpoint"
    )
    scope: str = Field("", description="OAUTHBEARER: scope to ask the token_endpoint for")
    replication_factor: int = Field(
        1, ge=1, description="replication factor of topics that `topics apply` creates"
    )
    connect_timeout_s: float = Field(
        10.0, gt=0, description="time until a broker must have answered, and a topic been found"
    )
    session_timeout_s: float = Field(
        30.0, gt=0, description="a worker without a heartbeat for this long loses its partitions"
    )
    rebalance_timeout_s: float = Field(
        90.0,
        gt=0,
        description="time to finish in-flight requests in a rebalance; must exceed judging.deadline_s",
    )

    @property
    def addresses(self) -> tuple[str, ...]:
        """The entries of `bootstrap`."""
        return entries(self.bootstrap)

    @property
    def encrypted(self) -> bool:
        """Whether connections use TLS."""
        return self.security in ("SSL", "SASL_SSL")

    @property
    def login(self) -> bool:
        """Whether we log in by SASL."""
        return self.security.startswith("SASL")

    @property
    def by_token(self) -> bool:
        """Whether we log in with a token."""
        return self.login and self.sasl_mechanism == OAUTH

    @field_validator("token_endpoint")
    @classmethod
    def _is_https(cls, value: str) -> str:
        parts = url_parts(value, ("https",))
        if value and (parts is None or "@" in parts.netloc):
            raise ValueError(
                "invalid address: use https://HOST/PATH, because the client's secret is sent there; the"
                " secret belongs in kafka.client_secret"
            )
        return value

    @model_validator(mode="after")
    def _is_consistent(self) -> "Kafka":
        for problem in (self._tls_problem(), self._login_problem(), self._clear_text_problem()):
            if problem:
                raise ValueError(problem)
        return self

    def _tls_problem(self) -> str:
        named = [name for name in ("certificate_file", "key_file") if getattr(self, name)]
        if named and not self.encrypted:
            return f"kafka.{named[0]} needs TLS: set kafka.security to SSL or SASL_SSL"
        if self.ca_file and not self.encrypted and not self.token_endpoint:
            return (
                f"kafka.ca_file is set, but kafka.security is {self.security}, without TLS: set it to SSL or"
                " SASL_SSL, or remove kafka.ca_file"
            )
        if len(named) == 1:
            other = "key_file" if named == ["certificate_file"] else "certificate_file"
            return (
                f"kafka.{named[0]} needs kafka.{other}: set both (they may name the same file, if it"
                " contains both)"
            )
        if self.key_password.get_secret_value() and not named:
            return "kafka.key_password is set without kafka.key_file: set kafka.key_file"
        return ""

    def _login_problem(self) -> str:
        token = [
            f"kafka.{name}"
            for name in ("token_file", "token_endpoint", "client_id", "scope")
            if getattr(self, name)
        ]
        token += ["kafka.client_secret"] if self.client_secret.get_secret_value() else []
        if token and not self.by_token:
            return (
                f"{token[0]} is only used by OAUTHBEARER: set kafka.security to SASL_SSL and"
                " kafka.sasl_mechanism to OAUTHBEARER, or remove it"
            )
        if self.by_token:
            return self._token_problem(token)
        if self.login and not (self.username and self.password.get_secret_value()):
            missing = "kafka.password" if self.username else "kafka.username"
            return (
                f"{missing} is empty: {self.sasl_mechanism} needs kafka.username and kafka.password"
            )
        return ""

    def _token_problem(self, token: list[str]) -> str:
        if self.username or self.password.get_secret_value():
            return (
                "kafka.username and kafka.password are not used by OAUTHBEARER: remove them, or set"
                " kafka.sasl_mechanism to SCRAM-SHA-512"
            )
        if self.token_file:
            if len(token) > 1:
                return f"kafka.token_file and {token[1]} exclude each other: remove one of them"
            return ""
        if not self.token_endpoint:
            return "OAUTHBEARER needs kafka.token_file or kafka.token_endpoint: set one of them"
        if not self.client_id or not self.client_secret.get_secret_value():
            return "kafka.token_endpoint needs kafka.client_id and kafka.client_secret: set both"
        return ""

    def _clear_text_problem(self) -> str:
        """SCRAM does not send the password; PLAIN and OAUTHBEARER send what anyone on the way could use.

        A broker on this machine may be a sidecar that encrypts.
        """
        if self.security != "SASL_PLAINTEXT" or self.sasl_mechanism.startswith("SCRAM"):
            return ""
        if all(address.rpartition(":")[0] in LOOPBACK for address in self.addresses):
            return ""
        what = "token" if self.by_token else "password"
        return (
            f"{self.sasl_mechanism} would send the {what} to {self.bootstrap} unencrypted: set"
            " kafka.security to SASL_SSL, or kafka.sasl_mechanism to SCRAM-SHA-512"
        )
