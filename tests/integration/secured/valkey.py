"""A server with one user per service, as deploy/ starts it."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from judgestream.adapters.redis.access import ACCESS
from judgestream.local.ports import HOST, free_port
from judgestream.local.process import Command, ServerProcess
from judgestream.local.valkey import answers, program
from tests.deploy.redis_users import SCRIPT, password_variable


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
    command = start_command(
        folder, passwords, programs=program().parent, options=["--port", str(port)]
    )
    return Started(port, ServerProcess(command))


def start_command(
    folder: Path,
    passwords: Mapping[str, str],
    *,
    programs: Path,
    options: Sequence[str],
    more: Mapping[str, str] | None = None,
) -> Command:
    """The start of deploy/ with the `valkey-server` of the folder `programs`.

    Args:
        options: of the server, its port among them.
        more: variables of its environment.
    """
    return Command(
        name="Valkey",
        argv=["sh", str(SCRIPT), "--bind", HOST, "--dir", str(folder), *options],
        log_path=folder / "valkey.log",
        cwd=folder,
        env={
            "PATH": f"{programs}:{os.environ['PATH']}",
            **{password_variable(row): passwords[row.service] for row in ACCESS},
            **(more or {}),
        },
        stop_seconds=10.0,
    )
