"""TLS of our gRPC servers. A renewed certificate or authority counts from the next connection on."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

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
class ServerTls:
    """Fields as in the settings.

    group   of the settings, such as "rollout": errors name its settings
    """

    group: str
    certificate_file: Path
    key_file: Path
    client_ca_file: Path | None = None

    @classmethod
    def of(cls, settings: Grpc, group: str) -> Self | None:
        """None for a server without TLS."""
        certificate, key = settings.server_certificate_file, settings.server_key_file
        if certificate is None or key is None:
            return None
        authority = settings.client_ca_file
        return cls(
            group=group,
            certificate_file=expanded(certificate),
            key_file=expanded(key),
            client_ca_file=None if authority is None else expanded(authority),
        )

    def stamp(self) -> Stamp:
        """Differs after a file was renewed."""
        return stamp(self.certificate_file, self.key_file, self.client_ca_file)

    def check(self) -> None:
        """Raise ConfigurationError if a file is missing or wrong. The message names the setting."""
        check_pair(
            self.certificate_file,
            self.key_file,
            f"{self.group}.server_certificate_file",
            f"{self.group}.server_key_file",
        )
        if self.client_ca_file is not None:
            check_authority(self.client_ca_file, f"{self.group}.client_ca_file")

    def credentials(self) -> grpc.ServerCredentials:
        """Credentials that follow the files. While renewed files are wrong, the former ones stay.

        Raises:
            ConfigurationError: a file is missing or wrong.
        """
        following = _Following(self)
        return grpc.dynamic_ssl_server_credentials(
            following.configuration(),
            following.renewed,
            require_client_authentication=self.client_ca_file is not None,
        )


class _Following:
    """Reads files again that have changed. gRPC asks at every connection, in any thread."""

    def __init__(self, tls: ServerTls) -> None:
        self._tls = tls
        self._seen: Stamp = ()

    def configuration(self) -> Any:
        """Raises ConfigurationError: a file is missing or wrong."""
        tls = self._tls
        self._seen = (
            tls.stamp()
        )  # before reading: a change in between is seen at the next connection
        tls.check()
        authority = tls.client_ca_file
        return grpc.ssl_server_certificate_configuration(
            [
                (
                    content(tls.key_file, f"{tls.group}.server_key_file"),
                    content(tls.certificate_file, f"{tls.group}.server_certificate_file"),
                )
            ],
            root_certificates=None
            if authority is None
            else content(authority, f"{tls.group}.client_ca_file"),
        )

    def renewed(self) -> Any:
        """The new configuration; None where nothing has changed, or the new files are wrong."""
        if self._tls.stamp() == self._seen:
            return None
        try:
            found = self.configuration()
        except ConfigurationError as exc:
            log.warning("renewed files are not used: %s", exc)
            return None
        log.info("the server's certificate was renewed: %s", self._tls.certificate_file)
        return found
