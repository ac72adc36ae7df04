"""A Redis that uses TLS itself, with one user per service, as deploy/ starts it."""

import hashlib
import secrets
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from redis import Redis as Client
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError, TimeoutError
from redis.retry import Retry

from judgestream.adapters.redis.access import SERVICES
from judgestream.local.ports import HOST, free_port
from judgestream.local.process import ServerProcess
from tests.debian_packages import or_skip
from tests.deploy.redis_users import PREFIX
from tests.integration.secured.certificates import Authority, Certificate
from tests.integration.secured.handshakes import shown_certificate
from tests.integration.secured.valkey import start_command
from tests.redis_package import redis_program

CERTIFICATE = "redis"
ADMIN = "admin"
"""The user that changes certificates and ends connections, and may do nothing else."""

ADMIN_RIGHTS = ("-@all", "+ping", "+config|set", "+client|kill", "+client|list")


@dataclass(kw_only=True)
class SecuredRedis:
    """Clients must show a certificate of an authority that issues nothing else. When the server accepts only
    another authority, a client that connects has read renewed files.
    """

    folder: Path
    port: int
    process: ServerProcess
    authority: Authority
    """Of the server's certificate."""
    passwords: Mapping[str, str] = field(repr=False)
    """By service."""
    clients: Authority
    admin: Client
    """Connected throughout, whatever certificate the server shows."""
    identities: dict[str, Certificate] = field(default_factory=dict)
    """Certificates of clients, by name."""

    @property
    def address(self) -> str:
        return f"{HOST}:{self.port}"

    def user(self, service: str) -> str:
        return SERVICES[service].user(PREFIX)

    def identity(self, name: str) -> Certificate:
        """The certificate of a client."""
        if name not in self.identities:
            self.identities[name] = self.clients.client(name)
        return self.identities[name]

    def login(self, service: str) -> dict[str, object]:
        """The settings of a service except its password."""
        shown = self.identity(service)
        return {
            "url": f"rediss://{self.address}/0",
            "username": self.user(service),
            "ca_file": self.authority.file,
            "certificate_file": shown.certificate,
            "key_file": shown.key,
        }

    def ports(self) -> set[int]:
        """Where it listens."""
        links = psutil.Process(self.process.pid).net_connections("tcp")
        return {one.laddr.port for one in links if one.status == psutil.CONN_LISTEN}

    def shown(self) -> str:
        """The certificate that the server shows now."""
        return shown_certificate(self.address, self.authority, self.identity("auditor"))

    def connected(self) -> set[str]:
        """The users that are connected now."""
        return {one["user"] for one in self.admin.client_list()} - {ADMIN}

    def show(self, certificate: Certificate) -> None:
        """Show this certificate from the next connection on."""
        self.admin.config_set(
            *("tls-cert-file", str(certificate.certificate)),
            *("tls-key-file", str(certificate.key)),
        )

    def accept(self, *authorities: Authority) -> None:
        """Accept clients of these authorities only, from the next connection on."""
        file = self.folder / "accepted.pem"
        file.write_text("".join(one.file.read_text() for one in authorities))
        self.admin.config_set("tls-ca-cert-file", str(file))

    def end_connections(self) -> None:
        """Of everybody but the admin; the server stays."""
        self.admin.client_kill_filter(_type="normal", skipme=True)

    def renew_certificates(self) -> None:
        """Show a new certificate, move the clients to a new authority in the order of docs/how-to/secure.md,
        and end every connection. A client that is connected afterwards has shown its renewed certificate.
        """
        last, self.clients = self.clients, client_authority(self.folder)
        self.accept(last, self.clients)
        for name in self.identities:
            self.clients.client(name)
        self.show(self.authority.server(CERTIFICATE))
        self.accept(self.clients)
        self.end_connections()


def client_authority(folder: Path) -> Authority:
    """A new one. What it issues for a client replaces in place what the last one issued."""
    return Authority(folder / "clients", name=f"ca-{secrets.token_hex(4)}")


@contextmanager
def secured_redis(folder: Path, authority: Authority) -> Iterator[SecuredRedis]:
    """Start it, with no other port than that of TLS. Skips the test where there is no Redis."""
    program = or_skip(redis_program)
    (folder / "bin").mkdir(parents=True)
    # deploy/ starts it by this name
    (folder / "bin" / "valkey-server").symlink_to(program.server)
    port, clients = free_port(), client_authority(folder)
    shown, admin = authority.server(CERTIFICATE), clients.client(ADMIN)
    passwords = {name: secrets.token_urlsafe(12) for name in (*SERVICES, ADMIN)}
    # by its digest: arguments show in the list of processes
    digest = hashlib.sha256(passwords[ADMIN].encode()).hexdigest()
    options = {
        "--port": ["0"],
        "--tls-port": [str(port)],
        "--tls-cert-file": [str(shown.certificate)],
        "--tls-key-file": [str(shown.key)],
        "--tls-ca-cert-file": [str(clients.file)],
        "--tls-auth-clients": ["yes"],
        "--user": [ADMIN, "on", f"#{digest}", *ADMIN_RIGHTS],
    }
    process = ServerProcess(
        start_command(
            folder,
            passwords,
            programs=folder / "bin",
            options=[word for name, words in options.items() for word in (name, *words)],
            more=program.environment,
        )
    )
    try:
        with closing(
            Client(
                host=HOST,
                port=port,
                username=ADMIN,
                password=passwords[ADMIN],
                socket_timeout=5,
                socket_connect_timeout=5,
                retry=Retry(NoBackoff(), 0),
                ssl=True,
                ssl_ca_certs=str(authority.file),
                ssl_certfile=str(admin.certificate),
                ssl_keyfile=str(admin.key),
            )
        ) as link:
            process.wait_ready(
                lambda: _answers(link), what="answered", seconds=20.0, advice="see its log"
            )
            yield SecuredRedis(
                folder=folder,
                port=port,
                process=process,
                authority=authority,
                passwords=passwords,
                clients=clients,
                admin=link,
            )
    finally:
        process.stop()


def _answers(link: Client) -> bool:
    try:
        return bool(link.ping())
    except (ConnectionError, TimeoutError):
        return False
