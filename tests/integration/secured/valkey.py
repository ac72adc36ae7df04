"""A Valkey with one user per service, as deploy/ starts it, and TLS in front of it."""

import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from judgestream.adapters.redis.access import ACCESS, SERVICES
from judgestream.local.ports import HOST, free_port
from judgestream.local.process import Command, ServerProcess
from judgestream.local.valkey import answers, program
from tests.deploy.redis_users import PREFIX, SCRIPT, password_variable
from tests.integration.secured.certificates import Authority, Certificate
from tests.integration.secured.tls_front import TlsFront

CERTIFICATE = "valkey"


@dataclass(frozen=True)
class Started:
    port: int
    process: ServerProcess

    def wait(self) -> None:
        """Until it answers."""
        self.process.wait_ready(
            lambda: answers(HOST, self.port), what="answered", seconds=20.0, advice="see its log"
        )


def started(folder: Path, passwords: Mapping[str, str]) -> Started:
    """Valkey as deploy/ starts it. `passwords`: by service, as in `ACCESS`."""
    port = free_port()
    process = ServerProcess(
        Command(
            name="Valkey",
            argv=[
                "sh",
                str(SCRIPT),
                *("--port", str(port)),
                *("--bind", HOST),
                "--dir",
                str(folder),
            ],
            log_path=folder / "valkey.log",
            cwd=folder,
            env={
                "PATH": f"{program().parent}:{os.environ['PATH']}",
                **{password_variable(row): passwords[row.service] for row in ACCESS},
            },
            stop_seconds=10.0,
        )
    )
    return Started(port, process)


@dataclass(frozen=True, kw_only=True)
class SecuredValkey:
    """Clients use the front, and show a certificate of the authority."""

    front: TlsFront
    plain_port: int
    """Of Valkey itself, which only the front uses."""
    authority: Authority
    passwords: Mapping[str, str] = field(repr=False)
    """By service."""

    @property
    def address(self) -> str:
        return f"{HOST}:{self.front.port}"

    def user(self, service: str) -> str:
        return SERVICES[service].user(PREFIX)

    def login(self, service: str, shown: Certificate) -> dict[str, object]:
        """The settings of a service except its password."""
        return {
            "url": f"rediss://{self.address}/0",
            "username": self.user(service),
            "ca_file": self.authority.file,
            "certificate_file": shown.certificate,
            "key_file": shown.key,
        }

    def renew_certificate(self) -> None:
        """Show a new certificate, and end every connection."""
        self.front.renew(self.authority.server(CERTIFICATE))
        self.front.drop_connections()


@contextmanager
def secured_valkey(folder: Path, authority: Authority) -> Iterator[SecuredValkey]:
    passwords = {service: secrets.token_urlsafe(12) for service in SERVICES}
    folder.mkdir()
    server = started(folder, passwords)
    try:
        server.wait()
        certificate = authority.server(CERTIFICATE)
        with TlsFront(server.port, certificate, clients_of=authority) as front:
            yield SecuredValkey(
                front=front,
                plain_port=server.port,
                authority=authority,
                passwords=passwords,
            )
    finally:
        server.process.stop()
