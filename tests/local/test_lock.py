"""One user of a folder at a time."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from judgestream.local.errors import FolderInUse
from judgestream.local.lock import FolderLock


def test_a_second_user_is_refused_and_told_who_the_first_is(tmp_path: Path) -> None:
    with FolderLock(tmp_path, purpose="a data folder"):
        with pytest.raises(FolderInUse, match=f"in use as a data folder by process {os.getpid()}"):
            FolderLock(tmp_path, purpose="a data folder")
    FolderLock(tmp_path, purpose="a data folder").release()


def test_a_child_that_was_given_the_file_holds_the_lock_after_we_let_go(tmp_path: Path) -> None:
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
