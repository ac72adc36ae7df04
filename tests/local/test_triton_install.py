"""The shipped Triton's parts, assembled without changing site-packages."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from judgestream.local import triton_install
from judgestream.local.errors import ServerMissing
from judgestream.local.triton_install import TritonInstall


@pytest.fixture
def install(tmp_path: Path) -> TritonInstall:
    package = tmp_path / "site"
    backend = package / "backends" / "python"
    backend.mkdir(parents=True)
    (backend / "libtriton_python.so").write_text("so")
    (backend / "triton_python_backend_stub").write_text("another Python's")
    stub = package / "stub"
    stub.write_text("ours")
    stub.chmod(0o444)
    libpython = package / "libpython.so"
    libpython.write_text("lib")
    package.chmod(0o555)
    return TritonInstall(
        program=package / "tritonserver",
        python_backend=backend,
        stub=stub,
        libraries=package / "libs",
        libpython=libpython,
    )


def test_the_backend_is_linked_and_the_stub_is_an_executable_copy(
    install: TritonInstall, tmp_path: Path
) -> None:
    for _ in range(2):  # a second start makes it anew
        made = triton_install.make_backend_directory(install, tmp_path / "run" / "backends")
    backend = made / "python"
    assert (backend / "libtriton_python.so").is_symlink()
    stub = backend / "triton_python_backend_stub"
    assert stub.read_text() == "ours" and not stub.is_symlink()
    assert os.access(stub, os.X_OK)
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert (backend / f"libpython{version}.so.1.0").resolve() == install.libpython


def test_our_python_comes_first_and_a_foreign_prefix_is_dropped(install: TritonInstall) -> None:
    base = {"PATH": "/usr/bin", "LD_LIBRARY_PATH": "/cuda", "PYTHONHOME": "/wrong", "X": "1"}
    environment = triton_install.server_environment(install, Path("/run/b"), base)
    assert environment["PATH"] == f"{Path(sys.executable).parent}:/usr/bin"
    assert environment["LD_LIBRARY_PATH"] == f"/run/b/python:{install.libraries}:/cuda"
    assert "PYTHONHOME" not in environment
    assert environment["X"] == "1"


def test_an_interpreter_without_a_python3_beside_it_is_refused(
    install: TritonInstall, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "odd"))
    with pytest.raises(ServerMissing, match="has none. Run judgestream from a virtual environment"):
        triton_install.server_environment(install, tmp_path, {})


def test_the_shipped_server_and_stub_find_all_their_libraries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = triton_install.find()
    backends = triton_install.make_backend_directory(real, tmp_path / "backends")
    environment = triton_install.server_environment(real, backends, os.environ)
    traced: dict[str, str] = {}
    run = subprocess.run

    def recorded(command: list[str], **options: Any) -> Any:
        done = run(command, **options)
        traced[command[1]] = done.stdout
        return done

    monkeypatch.setattr(subprocess, "run", recorded)
    triton_install.check_libraries(real, environment)
    assert set(traced) == {str(real.program), str(real.stub)}
    assert str(backends / "python" / triton_install._libpython_name()) in traced[str(real.stub)]


def test_a_missing_libpython_gives_one_sentence_with_fixes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "libpython9.99.so.1.0"
    monkeypatch.setattr(triton_install, "_libpython_name", lambda: name)
    with pytest.raises(ServerMissing) as caught:
        raise ServerMissing(triton_install._missing_words(Path("stub"), [name]))
    message = str(caught.value)
    assert f"needs {name}, and {sys.executable} was built without it" in message
    assert "uv venv --managed-python" in message and "apt install libpython" in message


def test_a_missing_library_is_named(tmp_path: Path) -> None:
    real = triton_install.find()
    no_libraries = {"PATH": os.defpath, "LD_LIBRARY_PATH": str(tmp_path)}
    moved = tmp_path / "stub"  # away from the shipped libraries that its run path names
    moved.write_bytes(real.stub.read_bytes())
    with pytest.raises(ServerMissing, match="libcudart|libpython"):
        triton_install.check_libraries(replace(real, stub=moved), no_libraries)
