"""A certificate authority for one test, and the certificates it issues, as PEM files."""

import datetime
import os
from dataclasses import dataclass
from pathlib import Path

import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

SERVER_NAMES = ("127.0.0.1", "localhost")


@dataclass(frozen=True, kw_only=True, slots=True)
class Certificate:
    """Two PEM files. `certificate` holds the chain, `key` the private key, readable by its owner only."""

    certificate: Path
    key: Path

    @property
    def both(self) -> str:
        """Key and chain in one text, as Kafka's PEM key store wants them."""
        return self.key.read_text() + self.certificate.read_text()


class Authority:
    """A certificate authority whose certificates go into one folder."""

    def __init__(self, folder: Path, *, name: str = "ca") -> None:
        """Make the authority. `name` distinguishes several in the same folder."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._ca = trustme.CA(organization_name=f"judgestream test {name}")
        self.file = folder / f"{name}.pem"
        """The authority's own certificate: what the other side must trust."""
        self._write(self.file, self._ca.cert_pem.bytes())

    def server(
        self,
        name: str = "server",
        *,
        hosts: tuple[str, ...] = SERVER_NAMES,
        common_name: str | None = None,
        expired: bool = False,
    ) -> Certificate:
        """Issue a server certificate. A second call with the same `name` renews it in place.

        `common_name`: of a server that is also a client of others.
        """
        return self._issue(name, hosts, common_name=common_name, password=None, expired=expired)

    def client(
        self, common_name: str, *, password: str | None = None, expired: bool = False
    ) -> Certificate:
        """Issue a client certificate with the subject CN=`common_name`; files carry that name.

        A second call renews it in place. `password` encrypts the key.
        """
        return self._issue(
            common_name,
            (f"{common_name}.client.test",),
            common_name=common_name,
            password=password,
            expired=expired,
        )

    def _issue(
        self,
        name: str,
        hosts: tuple[str, ...],
        *,
        common_name: str | None,
        password: str | None,
        expired: bool,
    ) -> Certificate:
        now = datetime.datetime.now(datetime.UTC)
        day = datetime.timedelta(days=1)
        leaf = self._ca.issue_cert(
            *hosts,
            common_name=common_name,
            # trustme's default is random: Kafka refuses a renewed certificate of another subject
            organization_unit_name=name,
            not_before=now - 3 * day if expired else None,
            not_after=now - day if expired else now + day,
        )
        # PKCS 8, which Java also reads
        key = load_pem_private_key(leaf.private_key_pem.bytes(), password=None).private_bytes(
            Encoding.PEM,
            PrivateFormat.PKCS8,
            BestAvailableEncryption(password.encode()) if password else NoEncryption(),
        )
        issued = Certificate(
            certificate=self.folder / f"{name}.crt.pem", key=self.folder / f"{name}.key.pem"
        )
        self._write(issued.key, key)
        self._write(issued.certificate, b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
        return issued

    @staticmethod
    def _write(path: Path, content: bytes) -> None:
        """Replace a file at once, so that no reader sees half of it."""
        aside = path.with_name(f".{path.name}.new")
        aside.unlink(missing_ok=True)
        with open(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
        aside.replace(path)
