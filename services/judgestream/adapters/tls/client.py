"""TLS of a gRPC client: the credentials of its channels."""

import logging
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import grpc

from judgestream.adapters.tls.files import (
    Stamp,
    check_authority,
    check_pair,
    content,
    expanded,
    stamp,
)
from judgestream.core.errors import ConfigurationError
from judgestream.settings import Grpc

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class ClientTls:
    """How callers of one service secure their connections. Fields as in the settings.

    group   of the settings, such as "triton": errors name its settings
    """

    group: str
    enabled: bool = False
    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None
    server_name: str = ""

    @classmethod
    def of(cls, settings: Grpc, group: str) -> Self:
        return cls(
            group=group,
            enabled=settings.tls,
            ca_file=_expanded(settings.ca_file),
            certificate_file=_expanded(settings.certificate_file),
            key_file=_expanded(settings.key_file),
            server_name=settings.server_name,
        )

    @property
    def options(self) -> list[tuple[str, str]]:
        """Options of the channels."""
        if not (self.enabled and self.server_name):
            return []
        return [("grpc.ssl_target_name_override", self.server_name)]

    def stamp(self) -> Stamp:
        """Differs after a file was renewed."""
        return stamp(self.ca_file, self.certificate_file, self.key_file)

    def credentials(self) -> grpc.ChannelCredentials | None:
        """The credentials of new channels, from the files as they are now; None without TLS.

        Raises:
            ConfigurationError: a file is missing or wrong. The message names the setting.
        """
        if not self.enabled:
            return None
        authority = self.ca_file or _system_authority()
        if self.ca_file is not None:
            check_authority(self.ca_file, f"{self.group}.ca_file")
        chain = key = None
        if self.certificate_file is not None and self.key_file is not None:
            names = (f"{self.group}.certificate_file", f"{self.group}.key_file")
            check_pair(self.certificate_file, self.key_file, *names)
            chain, key = content(self.certificate_file, names[0]), content(self.key_file, names[1])
        found = grpc.ssl_channel_credentials(
            root_certificates=content(authority, f"{self.group}.ca_file") if authority else None,
            private_key=key,
            certificate_chain=chain,
        )
        _last_good[self] = found
        return found

    def usable_credentials(self) -> grpc.ChannelCredentials | None:
        """As `credentials`, but those that this process used last where the files are wrong now. A renewal
        replaces several files, and what starts in between must not fail.

        Raises:
            ConfigurationError: a file is missing or wrong, and was from the start.
        """
        try:
            return self.credentials()
        except ConfigurationError as exc:
            if self not in _last_good:
                raise
            log.warning("the files of TLS are used as they were: %s", exc)
            return _last_good[self]

    def context(self) -> ssl.SSLContext:
        """The same for Python's own TLS. Raises OSError where a file is missing or wrong."""
        context = ssl.create_default_context(cafile=self.ca_file or _system_authority())
        if self.certificate_file is not None:
            context.load_cert_chain(self.certificate_file, self.key_file, password=lambda: "")
        context.set_alpn_protocols(["h2"])
        return context


_last_good: dict[ClientTls, grpc.ChannelCredentials] = {}
"""One entry for each group of settings."""

PLAINTEXT = ClientTls(group="triton")
"""Triton without TLS."""


def _expanded(file: Path | None) -> Path | None:
    return None if file is None else expanded(file)


def _system_authority() -> Path | None:
    """The authorities of this machine; None leaves gRPC its own."""
    file = ssl.get_default_verify_paths().cafile
    return None if file is None else Path(file)
