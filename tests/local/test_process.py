"""A child process and its keeper: readiness, death, stop, and clean-up."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from judgestream.local.errors import ServerDied, ServerNotReady
from judgestream.local.identity import ProcessId, alive, identify
from judgestream.local.process import Command, ServerProcess


def script(folder: Path, code: str, *, stop_seconds: float = 5.0, **more: object) -> Command:
    return Command(
        name="Toy",
        argv=[sys.executable, "-I", "-S", "-u", "-c", code],
        log_path=folder / "toy.log",
        cwd=folder,
        stop_seconds=stop_seconds,
        **more,  # type: ignore[arg-type]
    )


def gone_within(seconds: float, *processes: ProcessId | None) -> bool:
    deadline = time.monotonic() + seconds
    while any(process is not None and alive(process) for process in processes):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def wait_for(path: Path) -> str:
    deadline = time.monotonic() + 20
    while not path.exists() or not path.read_text().endswith("\n"):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return path.read_text()


SLEEP = "import time; time.sleep(60)"


def test_it_runs_in_its_own_group_and_stops_on_sigterm(tmp_path: Path) -> None:
    process = ServerProcess(script(tmp_path, SLEEP))
    assert process.running
    assert os.getpgid(process.pid) == process.pid
    process.stop()
    assert process.poll() == 128 + signal.SIGTERM
    assert not alive(process.server) and not alive(process.keeper)
    process.stop()  # a second time does nothing


def test_a_server_that_ignores_sigterm_is_killed_after_the_deadline(tmp_path: Path) -> None:
    code = f"import signal; signal.signal(15, signal.SIG_IGN); print('deaf'); {SLEEP}"
    process = ServerProcess(script(tmp_path, code, stop_seconds=0.3))
    process.wait_ready(lambda: "deaf" in process.log_tail(), what="spoken", seconds=20, advice="")
    process.stop()
    assert process.poll() == 128 + signal.SIGKILL
    assert "did not stop within 0.3 s" in process.log_tail()


def test_death_is_noticed_at_once_and_quotes_the_log(tmp_path: Path) -> None:
    code = "import sys; print('disk is full'); sys.exit(3)"
    process = ServerProcess(script(tmp_path, code))
    start = time.monotonic()
    with pytest.raises(ServerDied) as caught:
        process.wait_ready(lambda: False, what="answered", seconds=60, advice="")
    assert time.monotonic() - start < 20
    assert "Toy ended unexpectedly (exit status 3)" in str(caught.value)
    assert "  | disk is full" in str(caught.value)
    assert str(tmp_path / "toy.log") in str(caught.value)


def test_a_server_that_never_answers_is_reported_with_the_condition(tmp_path: Path) -> None:
    process = ServerProcess(script(tmp_path, SLEEP))
    try:
        with pytest.raises(
            ServerNotReady, match=r"has not answered on 1:2 within 0 s\. Wait longer\."
        ):
            process.wait_ready(
                lambda: False, what="answered on 1:2", seconds=0.1, advice="Wait longer."
            )
    finally:
        process.stop()


def test_a_missing_program_is_named(tmp_path: Path) -> None:
    command = Command(name="Toy", argv=["/no/such"], log_path=tmp_path / "log", cwd=tmp_path)
    with pytest.raises(ServerDied, match="Toy could not be started: .*/no/such"):
        ServerProcess(command)


def test_the_logs_of_the_nine_starts_before_are_kept(tmp_path: Path) -> None:
    for number in range(11):
        process = ServerProcess(script(tmp_path, f"print({number})"))
        while process.running:
            time.sleep(0.01)
    assert (tmp_path / "toy.log").read_text() == "10\n"
    lives = {path.name: path.read_text() for path in tmp_path.glob("toy.log.*")}
    assert lives == {f"toy.log.{k}": f"{10 - k}\n" for k in range(1, 10)}


def test_grandchildren_in_other_sessions_die_with_it_and_its_files_go(tmp_path: Path) -> None:
    left_behind = tmp_path / "shm_toy_1"
    left_behind.write_text("")
    (tmp_path / "shm_other_1").write_text("")
    code = (
        "import subprocess, sys\n"
        f"p = subprocess.Popen([sys.executable, '-c', {SLEEP!r}], start_new_session=True)\n"
        "print(p.pid)\n"
        f"{SLEEP}"
    )
    process = ServerProcess(script(tmp_path, code, remove_after=[f"{tmp_path}/shm_toy_*"]))
    grandchild = identify(int(wait_for(tmp_path / "toy.log")))
    assert grandchild is not None
    process.stop()
    assert gone_within(5, grandchild)
    assert not left_behind.exists()
    assert (tmp_path / "shm_other_1").exists()


PARENT = """
import sys, threading, time
from pathlib import Path
from judgestream.local.process import Command, ServerProcess
folder = Path(sys.argv[1])
def start():
    code = "import time; time.sleep(60)"
    command = Command(name="Toy", argv=[sys.executable, "-c", code], log_path=folder / "toy.log",
                      cwd=folder, remove_after=[str(folder / "shm_*")])
    process = ServerProcess(command)
    (folder / "shm_1").write_text("")
    (folder / "pids").write_text(f"{process.pid} {process.keeper.pid}\\n")
thread = threading.Thread(target=start)  # its end must not end the server (PR_SET_PDEATHSIG would)
thread.start()
thread.join()
time.sleep(60)
"""


def test_a_killed_parent_takes_the_server_with_it_but_its_ended_thread_does_not(
    tmp_path: Path,
) -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path)], env=path_to_us())
    try:
        pids = wait_for(tmp_path / "pids").split()
        server, keeper = (identify(int(pid)) for pid in pids)
        assert server is not None and keeper is not None
        time.sleep(0.5)  # the starting thread has ended long ago
        assert alive(server) and parent.poll() is None
    finally:
        parent.kill()
        parent.wait()
    assert gone_within(10, server, keeper)
    assert not (tmp_path / "shm_1").exists()
    assert "is gone: stopping Toy" in (tmp_path / "toy.log").read_text()


def test_a_killed_keeper_takes_the_server_with_it(tmp_path: Path) -> None:
    process = ServerProcess(script(tmp_path, SLEEP))
    os.kill(process.keeper.pid, signal.SIGKILL)
    assert gone_within(10, process.server)
    with pytest.raises(ServerDied, match="killed by signal 9"):
        while True:
            process.check()
            time.sleep(0.01)
    process.stop()


def test_the_environment_reaches_the_server_and_not_the_command_line(tmp_path: Path) -> None:
    command = script(
        tmp_path, f"import os; print(os.environ['SECRET']); {SLEEP}", env={"SECRET": "sesame"}
    )
    process = ServerProcess(command)
    try:
        process.wait_ready(
            lambda: "sesame" in process.log_tail(), what="spoken", seconds=20, advice=""
        )
        for pid in (process.pid, process.keeper.pid):
            assert b"sesame" not in Path(f"/proc/{pid}/cmdline").read_bytes()
    finally:
        process.stop()


def path_to_us() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": ":".join(path for path in sys.path if path)}


def test_hidden_arguments_reach_the_program_and_no_process_list(tmp_path: Path) -> None:
    code = (
        "import json, os, sys, time, subprocess\n"
        "child = subprocess.run(['env'], capture_output=True, text=True).stdout\n"
        "print(json.dumps([sys.argv[1:], 'hunt' + 'er2' in child + str(os.environ)]))\n"
        f"{SLEEP}"
    )
    hidden = ("--rule=a b:key=hunter2", "--other=hunter2")
    process = ServerProcess(script(tmp_path, code, hidden_arguments=hidden))
    try:
        found = json.loads(wait_for(tmp_path / "toy.log"))
        shown = Path(f"/proc/{process.pid}/cmdline").read_bytes()
    finally:
        process.stop()
    assert found == [list(hidden), False]
    assert b"hunter2" not in shown and shown.endswith(b"\0-\0-\0")
    assert "hunter2" not in repr(process.command)


def test_where_nothing_can_be_hidden_the_server_starts_and_its_log_says_so(tmp_path: Path) -> None:
    # without a variable there is nothing to put in a hidden one's place
    code = f"import sys; print(sys.argv[1], flush=True); {SLEEP}"
    process = ServerProcess(script(tmp_path, code, hidden_arguments=("--a",), env={}))
    try:
        said = wait_for(tmp_path / "toy.log")
        while "--a\n" not in said:
            said = wait_for(tmp_path / "toy.log")
    finally:
        process.stop()
    assert "other users can see its arguments" in said
