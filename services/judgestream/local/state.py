"""`stack.json`: what runs for a data folder, so that another process can look and stop it.

A pid alone may be a stranger's by the time it is read: every process is written with its start
time and the file with the machine's boot, and nobody is signalled who does not match.
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
    """One server. `server` and `keeper` are None for one that somebody else runs (external), and for one of
    ours that is being started."""

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
    """A stack, its servers in the order in which they are to be stopped last to first.

    `owner` is the process that started it, `started_at` is in seconds since 1970 (UTC).
    """

    owner: ProcessId
    boot: str
    started_at: float
    servers: tuple[ServerState, ...]

    def running(self) -> tuple[str, ...]:
        """Names of our servers that run now; external ones are not looked at."""
        return tuple(
            server.name for server in self.servers if server.server and self._alive(server.server)
        )

    def owner_alive(self) -> bool:
        return self._alive(self.owner)

    def _alive(self, process: ProcessId) -> bool:
        return self.boot == boot_id() and alive(process)


def write_state(data_dir: Path, state: StackState) -> None:
    """Write the file whole or not at all, for this user only: an address may hold a password."""
    text = json.dumps({"format": _FORMAT, **asdict(state)}, indent=2)
    write_private(data_dir / FILE_NAME, text + "\n")


def remove_state(data_dir: Path) -> None:
    (data_dir / FILE_NAME).unlink(missing_ok=True)


def read_state(data_dir: Path) -> StackState | None:
    """The stack last started for this folder, None if it was stopped in order or never started.

    It may have died meanwhile: see `running` and `owner_alive`. Raises DataUnusable when the file
    is not readable as a state.
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
    """Stop the stack of this folder from another process; False if nothing of it ran.

    With `stop_owner` the process that started it gets SIGTERM first, so that it can end its own
    work before its servers; then the servers' keepers do, last started first, and what is left
    after `seconds` in all is killed. Without it the owner stays and sees its servers die.
    Raises LocalServerError when something survives even that.
    """
    state = read_state(data_dir)
    if state is None:
        return False
    if state.boot != boot_id():
        remove_state(data_dir)  # from before the machine's last start: nothing of it can run
        return False
    deadline = time.monotonic() + seconds
    own_owner = stop_owner and state.owner.pid != os.getpid()
    found = bool(_left(state.servers)) or (own_owner and alive(state.owner))
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
                " end even after SIGKILL. Look at them with `ps -o pid,stat,wchan,args -p <pid>`."
            )
        time.sleep(0.02)
    remove_state(data_dir)
    return found


def _left(servers: Sequence[ServerState]) -> list[ProcessId]:
    """What still runs of our servers: keepers first, so that they are signalled first."""
    keepers = [server.keeper for server in servers if server.keeper and alive(server.keeper)]
    groups = [group_members(server.server) for server in servers if server.server]
    return keepers + [process for group in groups for process in group]
