"""The state file: round trip, reused pids, a stop from another process."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from judgestream.local.errors import DataUnusable
from judgestream.local.identity import ProcessId, alive, boot_id, identify
from judgestream.local.process import Command, ServerProcess
from judgestream.local.state import (
    ServerState,
    StackState,
    read_state,
    stop_from_state,
    write_state,
)

SLEEP = [sys.executable, "-I", "-S", "-c", "import time; time.sleep(60)"]


def me() -> ProcessId:
    identity = identify(os.getpid())
    assert identity is not None
    return identity


def state_of(process: ServerProcess) -> StackState:
    server = ServerState(
        name="Toy", address="x:1", log_path="/l", server=process.server, keeper=process.keeper
    )
    external = ServerState(name="Far", address="far:1")
    return StackState(owner=me(), boot=boot_id(), started_at=1.5, servers=(server, external))


@pytest.fixture
def toy(tmp_path: Path) -> Iterator[ServerProcess]:
    process = ServerProcess(
        Command(name="Toy", argv=SLEEP, log_path=tmp_path / "toy.log", cwd=tmp_path)
    )
    yield process
    process.stop()


def test_no_file_means_no_stack(tmp_path: Path) -> None:
    assert read_state(tmp_path) is None
    assert not stop_from_state(tmp_path)


def test_what_is_written_is_read_back(tmp_path: Path, toy: ServerProcess) -> None:
    state = state_of(toy)
    write_state(tmp_path, state)
    assert read_state(tmp_path) == state
    assert (tmp_path / "stack.json").stat().st_mode & 0o777 == 0o600
    assert state.running() == ("Toy",)
    assert state.owner_alive()
    assert [server.external for server in state.servers] == [False, True]


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"format": 99}', '{"format": 1, "owner": 3}'])
def test_an_unreadable_file_is_named_with_a_fix(tmp_path: Path, text: str) -> None:
    (tmp_path / "stack.json").write_text(text)
    with pytest.raises(DataUnusable, match=r"stack\.json cannot be read .* delete it"):
        read_state(tmp_path)


def test_a_stop_by_another_process_ends_server_and_keeper(
    tmp_path: Path, toy: ServerProcess
) -> None:
    write_state(tmp_path, state_of(toy))
    assert stop_from_state(tmp_path)
    assert not alive(toy.server) and not alive(toy.keeper)
    assert read_state(tmp_path) is None
    assert not stop_from_state(tmp_path)


def test_the_owner_is_signalled_first(tmp_path: Path, toy: ServerProcess) -> None:
    owner = subprocess.Popen(SLEEP)
    identity = identify(owner.pid)
    assert identity is not None
    write_state(tmp_path, replace(state_of(toy), owner=identity))
    assert stop_from_state(tmp_path)
    assert owner.wait(10) == -15


def test_the_owner_can_be_left_running(tmp_path: Path, toy: ServerProcess) -> None:
    owner = subprocess.Popen(SLEEP)
    try:
        identity = identify(owner.pid)
        assert identity is not None
        write_state(tmp_path, replace(state_of(toy), owner=identity))
        assert stop_from_state(tmp_path, stop_owner=False)
        assert owner.poll() is None
    finally:
        owner.kill()
        owner.wait()


def test_processes_with_reused_pids_are_not_signalled(tmp_path: Path, toy: ServerProcess) -> None:
    state = state_of(toy)
    ours = state.servers[0]
    assert ours.server is not None and ours.keeper is not None
    earlier = replace(
        ours,
        server=replace(ours.server, started=ours.server.started - 1),
        keeper=replace(ours.keeper, started=ours.keeper.started - 1),
    )
    write_state(tmp_path, replace(state, servers=(earlier,)))
    assert not stop_from_state(tmp_path)
    assert alive(toy.server) and alive(toy.keeper)


def test_a_file_from_before_the_last_boot_is_only_removed(
    tmp_path: Path, toy: ServerProcess
) -> None:
    state = replace(state_of(toy), boot="another")
    write_state(tmp_path, state)
    assert state.running() == ()
    assert not stop_from_state(tmp_path)
    assert alive(toy.server)
    assert read_state(tmp_path) is None


def test_what_does_not_end_in_time_is_killed(tmp_path: Path) -> None:
    deaf = "import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf'); time.sleep(60)"
    process = ServerProcess(
        Command(
            name="Toy",
            argv=[*SLEEP[:-1], deaf],
            log_path=tmp_path / "toy.log",
            cwd=tmp_path,
            stop_seconds=30,
        )
    )
    time.sleep(0.3)
    write_state(tmp_path, state_of(process))
    assert stop_from_state(tmp_path, seconds=0.5)
    assert not alive(process.server)
    process.stop()
