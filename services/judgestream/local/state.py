"""`stack.json`: the processes of a data folder, so that other processes can inspect and stop them.

A pid may be reused by the time it is read. So every process is recorded with its start time, and the file
with the boot id. A process that does not match is never signalled.
"""

import json
import os
import signal
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from judgestream.local.errors import DataUnusable, LocalServerError
from judgestream.local.identity import ProcessId, alive, boot_id, group_members, send
from judgestream.local.private import write_private

FILE_NAME = "stack.json"
_FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class ServerState:
    """One server. `server` and `keeper` are None for an external server, and while a server starts."""

    name: str
    address: str
    log_path: str | None = None
    server: ProcessId | None = None
    keeper: ProcessId | None = None

    @property
    def external(self) -> bool:
        return self.log_path is None


@dataclass(frozen=True, kw_only=True)
class StackState:
    """A stack. Its servers are stopped in reverse order.

    `owner` is the process that started it, `started_at` is in seconds since 1970 (UTC).
    """

    owner: ProcessId
    boot: str
    started_at: float
    servers: tuple[ServerState, ...]

    def running(self) -> tuple[str, ...]:
        """Names of the stack's servers that run now, without external ones."""
        return tuple(
            server.name for server in self.servers if server.server and self._alive(server.server)
        )

    def owner_alive(self) -> bool:
        return self._alive(self.owner)

    def _alive(self, process: ProcessId) -> bool:
        return self.boot == boot_id() and alive(process)


def write_state(data_dir: Path, state: StackState) -> None:
    """Write the file atomically, for this user only: an address may contain a password."""
    text = json.dumps({"format": _FORMAT, **asdict(state)}, indent=2)
    write_private(data_dir / FILE_NAME, text + "\n")


def remove_state(data_dir: Path) -> None:
    (data_dir / FILE_NAME).unlink(missing_ok=True)


def read_state(data_dir: Path) -> StackState | None:
    """The stack last started for this folder. None if it was stopped properly or never started.

    It may have died since: see `running` and `owner_alive`. Raises DataUnusable when the file is invalid.
    """
    path = data_dir / FILE_NAME
    try:
        raw = json.loads(path.read_text())
        if raw["format"] != _FORMAT:
            raise ValueError(f"format {raw['format']}, this version reads {_FORMAT}")
        return StackState(
            owner=ProcessId(**raw["owner"]),
            boot=raw["boot"],
            started_at=raw["started_at"],
            servers=tuple(_server(entry) for entry in raw["servers"]),
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataUnusable(
            f"{path} cannot be read ({error}). If no judgestream runs there, delete it."
        ) from error


def _server(entry: dict[str, object]) -> ServerState:
    processes = {
        key: None if entry[key] is None else ProcessId(**entry[key])  # type: ignore[arg-type]
        for key in ("server", "keeper")
    }
    return ServerState(**{**entry, **processes})  # type: ignore[arg-type]


def stop_from_state(data_dir: Path, *, seconds: float = 40.0, stop_owner: bool = True) -> bool:
    """Stop the stack of this folder from another process. Returns False if none of it ran.

    With `stop_owner` the process that started it gets SIGTERM first, so that it can finish before its
    servers. Then the servers' keepers get it, last started first. What still runs after `seconds` in all is
    killed. Without `stop_owner` the owner keeps running and finds its servers dead.
    Raises LocalServerError when a process survives SIGKILL.
    """
    state = read_state(data_dir)
    if state is None:
        return False
    if state.boot != boot_id():
        remove_state(data_dir)  # from before the last boot: none of it can run
        return False
    deadline = time.monotonic() + seconds
    own_owner = stop_owner and state.owner.pid != os.getpid()
    ran = bool(_left(state.servers)) or (own_owner and alive(state.owner))
    if own_owner and send(state.owner, signal.SIGTERM):
        half = time.monotonic() + seconds / 2
        while alive(state.owner) and time.monotonic() < half:
            time.sleep(0.05)
    for server in reversed(state.servers):
        if server.keeper is not None:
            send(server.keeper, signal.SIGTERM)
    while _left(state.servers) and time.monotonic() < deadline:
        time.sleep(0.05)
    for process in _left(state.servers):
        send(process, signal.SIGKILL)
    if own_owner:
        send(state.owner, signal.SIGKILL)
    give_up = time.monotonic() + 5.0
    while left := _left(state.servers):
        if time.monotonic() > give_up:
            raise LocalServerError(
                f"Processes {', '.join(str(process.pid) for process in left)} of {data_dir} do not"
                " end after SIGKILL. Inspect them with `ps -o pid,stat,wchan,args -p <pid>`."
            )
        time.sleep(0.02)
    remove_state(data_dir)
    return ran


def _left(servers: Sequence[ServerState]) -> list[ProcessId]:
    """The processes of the stack's servers that still run: keepers first, to be signalled first."""
    keepers = [server.keeper for server in servers if server.keeper and alive(server.keeper)]
    groups = [group_members(server.server) for server in servers if server.server]
    return keepers + [process for group in groups for process in group]
