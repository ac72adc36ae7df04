"""Settings taken from the running local stack: the addresses of its servers, its release and its key."""

import contextlib
from collections.abc import Mapping
from pathlib import Path

from judgestream.core.errors import ConfigurationError
from judgestream.local.errors import DataUnusable
from judgestream.local.folder import data_folder
from judgestream.local.state import read_state
from judgestream.local.supervisor_file import read_report

CONTROL_KEY_FILE = "triton-control.key"
"""In the data folder: the key to the model control of the stack's Triton (`private.kept_secret`)."""

# Server name in the state file -> setting of its address.
_SETTINGS = {"Kafka": "kafka.bootstrap", "Valkey": "redis.url", "Triton": "triton.grpc"}


def running_settings(data: Path) -> Mapping[str, str]:
    """Setting -> value, to reach the stack of this data folder. {} when none runs there, or when this user
    may not read it. Never raises for the contents of the folder.
    """
    try:
        folder = data_folder(data)
        state = read_state(folder)
    except (ConfigurationError, DataUnusable):
        return {}
    if state is None or not state.owner_alive():
        return {}
    values = {
        _SETTINGS[server.name]: server.address
        for server in state.servers
        if server.name in _SETTINGS and server.address
    }
    triton = next((server for server in state.servers if server.name == "Triton"), None)
    if triton is not None and not triton.external:
        with contextlib.suppress(OSError, UnicodeDecodeError):
            key = (folder / CONTROL_KEY_FILE).read_text(encoding="ascii")
            values["triton.control_key"] = key.strip()
    report = read_report(folder)
    if report is not None and report.alive:
        named = {"triton.release": report.release, "rollout.grpc": report.rollout}
        values |= {path: value for path, value in named.items() if value}
    return values
