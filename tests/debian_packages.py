"""Programs of the distribution's packages, unpacked in the virtual environment.

apt-get checks the packages against the signed lists of the distribution. Nothing is installed on the machine,
and no rights are needed.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import pytest

Found = TypeVar("Found")

ENVIRONMENT = Path(sys.executable).parent.parent
IN_CI = bool(os.environ.get("CI"))
FETCH_S = 240
WITH_LIBRARIES = (
    *("install", "--download-only", "--reinstall", "--no-install-recommends", "--yes"),
    # a lock of the machine's packages would need rights, and they do not change
    *("-o", "Debug::NoLocking=true"),
)


class Unavailable(Exception):
    """This machine has no such program, and it cannot be fetched. The message says why."""


def or_skip(find: Callable[[], Found]) -> Found:
    """What `find` returns. Where it is unavailable, the test is skipped with the reason; in CI it fails."""
    try:
        return find()
    except Unavailable as exc:
        if IN_CI:
            raise
        pytest.skip(str(exc))


def unpack(package: str, folder: Path, *, libraries: bool = False) -> None:
    """Unpack the package, so that the folder exists only when it is whole.

    Args:
        libraries: unpack what the package depends on, too, as far as this machine lacks it.

    Raises:
        Unavailable: there is no apt-get, or it cannot fetch the package.
    """
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise Unavailable(f"{package} cannot be fetched: apt-get and dpkg-deb are not on PATH")
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f"{folder.name}-") as name:
        work = Path(name)
        _fetch(work, [*(WITH_LIBRARIES if libraries else ("download",)), package])
        archives = sorted(work.rglob("*.deb"))
        if not any(one.name.startswith(f"{package}_") for one in archives):
            raise Unavailable(f"apt-get did not fetch {package}")
        for archive in archives:
            run(["dpkg-deb", "--extract", str(archive), str(work / "unpacked")], 60)
        try:
            os.replace(work / "unpacked", folder)
        except OSError:
            if not folder.is_dir():  # another process was first
                raise


def run(command: Sequence[str], limit_s: int, folder: Path | None = None) -> str:
    """What the command writes. Raises Unavailable when it fails."""
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=limit_s, check=True
        )
    except subprocess.CalledProcessError as exc:
        raise Unavailable(f"{' '.join(command)} failed: {exc.stderr.strip()}") from exc
    except subprocess.TimeoutExpired as exc:
        raise Unavailable(f"{' '.join(command)} took longer than {limit_s} s") from exc
    return done.stdout + done.stderr


def _fetch(folder: Path, words: Sequence[str]) -> None:
    """Put archives into the folder. Machines without lists of packages get them there, too."""
    for name in ("lists/partial", "archives/partial"):
        (folder / name).mkdir(parents=True)
    apt = ["apt-get", "-o", f"Dir::Cache={folder}"]
    try:
        run([*apt, *words], FETCH_S, folder)
    except Unavailable:
        apt += ["-o", f"Dir::State::lists={folder / 'lists'}"]
        run([*apt, "update"], FETCH_S, folder)
        run([*apt, *words], FETCH_S, folder)
