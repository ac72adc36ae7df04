"""The PEM files of one side of TLS: read with an error that names the setting, and watched for renewal."""

import ssl
import stat
from pathlib import Path

from judgestream.core.errors import ConfigurationError

Stamp = tuple[tuple[int, int, int] | None, ...]


def stamp(*files: Path | None) -> Stamp:
    """Differs after any of the files was replaced or rewritten, also where a symbolic link on its path was
    replaced, as Kubernetes does. A missing file has none."""
    return tuple(None if file is None else _stamp(file) for file in files)


def content(file: Path, setting: str) -> bytes:
    """The file's content.

    Args:
        setting: its path, such as "triton.ca_file", for the error.

    Raises:
        ConfigurationError: it cannot be read.
    """
    check_regular(file, setting)
    try:
        return file.read_bytes()
    except OSError as exc:
        raise ConfigurationError(
            f"{setting} names {file}, which cannot be read: {exc.strerror}"
        ) from exc


def check_regular(file: Path, setting: str) -> None:
    """Raise ConfigurationError for a pipe or a device, whose reading may take forever. A missing file is
    reported by its reader."""
    try:
        kind = file.stat().st_mode
    except (OSError, ValueError):
        return
    if not (stat.S_ISREG(kind) or stat.S_ISDIR(kind)):
        raise ConfigurationError(
            f"{setting} names {file}, which is not a file: name a regular file"
        )


def expanded(file: Path) -> Path:
    """The path with the home of its user for `~`. Without such a user as it is, and so not found."""
    try:
        return file.expanduser()
    except RuntimeError:
        return file


def check_authority(file: Path, setting: str) -> None:
    """Raise ConfigurationError unless the file contains certificates in PEM."""
    content(file, setting)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=file)
    except (ssl.SSLError, OSError) as exc:
        raise ConfigurationError(
            f"{setting} names {file}, which contains no certificate in PEM: name the file of the authority"
        ) from exc


def check_pair(certificate: Path, key: Path, setting: str, key_setting: str) -> None:
    """Raise ConfigurationError unless the files are a certificate chain and its unencrypted key."""
    content(certificate, setting)
    content(key, key_setting)
    encrypted = False

    def no_password() -> str:
        nonlocal encrypted
        encrypted = True
        return ""

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(
            certificate, key, password=no_password
        )
    except (ssl.SSLError, OSError) as exc:
        if encrypted:
            raise ConfigurationError(
                f"{key_setting} names {key}, which is encrypted: name a file with the key itself, which"
                " only this user can read"
            ) from exc
        raise ConfigurationError(
            f"{setting} and {key_setting} name {certificate} and {key}, which are not a certificate chain"
            " and its private key in PEM: name files that belong together"
        ) from exc


def _stamp(file: Path) -> tuple[int, int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
