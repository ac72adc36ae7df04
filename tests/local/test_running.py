"""Commands find the running stack of their data folder; explicit settings take precedence."""

import os
import socket
from pathlib import Path

import pytest

from judgestream.core.errors import ConfigurationError
from judgestream.local.identity import ProcessId, boot_id, identify
from judgestream.local.leftovers import end_leftovers, stop_all
from judgestream.local.lock import FolderLock
from judgestream.local.running import running_settings
from judgestream.local.state import ServerState, StackState, write_state
from judgestream.local.supervisor_file import (
    Phase,
    SupervisorReport,
    read_report,
    write_report,
)
from judgestream.settings import load


def me() -> ProcessId:
    found = identify(os.getpid())
    assert found is not None
    return found


def stack_at(folder: Path, owner: ProcessId) -> None:
    servers = (
        ServerState(name="Kafka", address="127.0.0.1:4000", log_path="k"),
        ServerState(name="Valkey", address="redis://:pw@127.0.0.1:4001/0", log_path="v"),
        ServerState(name="Triton", address="127.0.0.1:4002", log_path="t"),
    )
    write_state(folder, StackState(owner=owner, boot=boot_id(), started_at=0.0, servers=servers))
    write_report(
        folder,
        SupervisorReport(process=owner, boot=boot_id(), phase=Phase.READY, release="judge-1"),
    )


def test_settings_come_from_the_running_stack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack_at(tmp_path, me())
    monkeypatch.setenv("JUDGESTREAM_LOCAL__DATA", str(tmp_path))
    settings = load()
    assert settings.kafka.bootstrap == "127.0.0.1:4000"
    assert settings.redis.url.get_secret_value() == "redis://:pw@127.0.0.1:4001/0"
    assert (settings.triton.grpc, settings.triton.release) == ("127.0.0.1:4002", "judge-1")
    assert load(find_stack=False).kafka.bootstrap == "127.0.0.1:29092"


def test_explicit_settings_take_precedence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stack_at(tmp_path, me())
    monkeypatch.setenv("JUDGESTREAM_LOCAL__DATA", str(tmp_path))
    monkeypatch.setenv("JUDGESTREAM_KAFKA__BOOTSTRAP", "far:9092")
    monkeypatch.setenv("JUDGESTREAM_TRITON__GRPC", "far:8001")
    settings = load()
    assert (settings.kafka.bootstrap, settings.triton.grpc) == ("far:9092", "far:8001")
    assert settings.triton.release == ""  # the stack's release is not on somebody else's Triton
    assert settings.redis.url.get_secret_value().endswith(":4001/0")


@pytest.mark.parametrize("name", ["stack.json", "supervisor.json"])
@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 99}', "\x00", '{"format": 1}'])
def test_files_that_cannot_be_read_are_as_if_nothing_ran(
    tmp_path: Path, name: str, text: str
) -> None:
    (tmp_path / name).write_text(text)
    assert running_settings(tmp_path) == {}
    assert read_report(tmp_path) is None


def test_a_stack_whose_supervisor_is_dead_does_not_count(tmp_path: Path) -> None:
    stack_at(tmp_path, ProcessId(pid=2**22 - 1, started=1))
    assert running_settings(tmp_path) == {}


def test_stopping_nothing_is_reported(tmp_path: Path) -> None:
    assert not stop_all(tmp_path / "none", print, seconds=1)
    assert not stop_all(tmp_path, print, seconds=1)


def test_the_rest_of_an_earlier_run_is_awaited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("judgestream.local.leftovers.WAIT_S", 0.2)
    end_leftovers(tmp_path, print)
    with (
        FolderLock(tmp_path / "kafka", purpose="kafka"),
        pytest.raises(Exception, match="kafka of an earlier run has not stopped"),
    ):
        end_leftovers(tmp_path, print)
    end_leftovers(tmp_path, print)


def test_an_invalid_address_is_refused_before_anything_starts(tmp_path: Path) -> None:
    from judgestream.apps.machine.server_plan import plan_servers

    settings = load(find_stack=False, kafka={"bootstrap": "far:none"})
    with pytest.raises(ConfigurationError, match="invalid address 'far:none' of Kafka"):
        plan_servers(settings, tmp_path, free_ports=True)


def test_the_stacks_own_free_address_is_not_external(tmp_path: Path) -> None:
    from judgestream.apps.machine.server_plan import plan_servers
    from judgestream.local.ports import free_port

    port = free_port()
    settings = load(
        find_stack=False,
        kafka={"bootstrap": f"localhost:{port}"},
        local={"kafka_port": port},
    )
    assert plan_servers(settings, tmp_path, free_ports=False).kafka is None
    with socket.create_server(("127.0.0.1", port)):
        plan = plan_servers(settings, tmp_path, free_ports=False)
        assert plan.kafka is not None and plan.kafka.address == f"localhost:{port}"
