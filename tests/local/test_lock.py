"""A folder has one user at a time."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from judgestream.local.errors import FolderInUse
from judgestream.local.lock import FolderLock
from tests.paths import SERVICES


def test_a_second_user_is_refused_and_the_holder_is_named(tmp_path: Path) -> None:
    with FolderLock(tmp_path, purpose="a data folder"):
        with pytest.raises(FolderInUse, match=f"in use as a data folder by process {os.getpid()}"):
            FolderLock(tmp_path, purpose="a data folder")
    FolderLock(tmp_path, purpose="a data folder").release()


def test_a_child_that_inherited_the_file_keeps_the_lock_after_its_release(tmp_path: Path) -> None:
    lock = FolderLock(tmp_path, purpose="a data folder")
    child = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", "import sys; sys.stdin.read()"],
        stdin=subprocess.PIPE,
        pass_fds=[lock.fd],
    )
    lock.release()
    with pytest.raises(FolderInUse):
        FolderLock(tmp_path, purpose="a data folder")
    child.communicate()
    FolderLock(tmp_path, purpose="a data folder", wait_seconds=5.0).release()


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from judgestream.local.lock import FolderLock;"
        "lock = FolderLock(Path(sys.argv[1]), purpose=''); print('held', flush=True); time.sleep(60)"
    )
    environment = {**os.environ, "PYTHONPATH": str(SERVICES)}
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, env=environment
    )
    with holder:
        assert holder.stdout is not None and holder.stdout.readline() == b"held\n"
        with pytest.raises(FolderInUse, match=f"by process {holder.pid}"):
            FolderLock(tmp_path, purpose="a data folder")
        holder.kill()
    FolderLock(tmp_path, purpose="a data folder").release()
