"""TLS contexts whose certificates may be renewed on disk while the process runs."""

import logging
import ssl
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Any

from judgestream.adapters.tls.files import Stamp, check_regular, stamp
from judgestream.core.errors import ConfigurationError
from judgestream.settings import Kafka

log = logging.getLogger(__name__)


def tls_context(settings: Kafka) -> ssl.SSLContext | None:
    """For all connections of one client. None when they are plain text.

    Raises:
        ConfigurationError: a file cannot be used; the message names its setting.
    """
    if not settings.encrypted:
        return None
    files = (settings.ca_file, settings.certificate_file, settings.key_file)
    return RenewedContext.of(
        lambda: _load(settings), tuple(path for path in files if path is not None)
    )


class RenewedContext(ssl.SSLContext):
    """Hands every new connection to a context of the files as they are now.

    Files that are incomplete, such as a new certificate whose key is not there yet, are logged, and the
    context before them stays in use.
    """

    _make: Callable[[], ssl.SSLContext]
    _files: tuple[Path, ...]
    _current: ssl.SSLContext
    _stamp: Stamp
    _renewing: Lock

    @classmethod
    def of(cls, make: Callable[[], ssl.SSLContext], files: tuple[Path, ...]) -> "RenewedContext":
        """`make` is called now, and before a handshake if one of `files` has changed since."""
        context = cls(ssl.PROTOCOL_TLS_CLIENT)
        context._make, context._files, context._renewing = make, files, Lock()
        context._stamp = stamp(*files)
        context._current = make()
        return context

    def wrap_socket(self, *args: Any, **kwargs: Any) -> ssl.SSLSocket:
        return self._newest().wrap_socket(*args, **kwargs)

    def wrap_bio(self, *args: Any, **kwargs: Any) -> ssl.SSLObject:
        return self._newest().wrap_bio(*args, **kwargs)

    def _newest(self) -> ssl.SSLContext:
        with self._renewing:
            found = stamp(*self._files)
            if found != self._stamp:
                self._stamp = found
                try:
                    self._current = self._make()
                except ConfigurationError as exc:
                    log.warning("the certificates before the last change stay in use: %s", exc)
            return self._current


def _load(settings: Kafka) -> ssl.SSLContext:
    for name in ("ca_file", "certificate_file", "key_file"):
        if (file := getattr(settings, name)) is not None:
            check_regular(file, f"kafka.{name}")
    try:
        context = ssl.create_default_context(cafile=settings.ca_file)
    except (OSError, ssl.SSLError) as exc:
        raise ConfigurationError(
            f"kafka.ca_file {settings.ca_file} cannot be used ({exc}): set it to a PEM file of certificates"
        ) from exc
    if settings.certificate_file is None or settings.key_file is None:
        return context
    asked: list[str] = []

    def password() -> str:
        """A function, because without one OpenSSL would ask the terminal."""
        asked.append("password")
        return settings.key_password.get_secret_value()

    try:
        context.load_cert_chain(settings.certificate_file, settings.key_file, password)
    except (OSError, ValueError) as exc:
        raise ConfigurationError(
            f"kafka.certificate_file {settings.certificate_file} with kafka.key_file"
            f" {settings.key_file} cannot be used: {_words(exc, encrypted=bool(asked))}"
        ) from exc
    return context


def _words(exc: Exception, *, encrypted: bool) -> str:
    """The reason and how to fix it: OpenSSL's own words hide it."""
    if isinstance(exc, FileNotFoundError | PermissionError):
        return f"{exc.strerror}: check both paths and that this user may read them"
    if "KEY_VALUES_MISMATCH" in str(exc):
        return "the key belongs to another certificate: set both to one pair"
    if encrypted:
        return "the key is encrypted and its password is wrong: set kafka.key_password"
    return f"{exc}: set both to PEM files, the certificate with its chain"
