"""The Triton in nvidia-pytriton, and the parts of this interpreter that its Python backend needs."""

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import util
from pathlib import Path

from judgestream.local.errors import ServerMissing

_STUB = "triton_python_backend_stub"


@dataclass(frozen=True, kw_only=True)
class TritonInstall:
    """The paths of an installation.

    program          the server's program
    python_backend   the folder `backends/python`
    stub             the stub for this Python version
    libraries        shared libraries shipped with the package
    libpython        this interpreter's shared library; None for a statically linked interpreter, where only
                     the system's library folders may have one
    """

    program: Path
    python_backend: Path
    stub: Path
    libraries: Path
    libpython: Path | None


def find() -> TritonInstall:
    """Find the installation. Raises ServerMissing, with how to fix it, when a part is missing."""
    spec = util.find_spec("pytriton")
    if spec is None or spec.origin is None:
        raise ServerMissing(
            "Triton needs the package nvidia-pytriton, which is not installed."
            " Install it with: pip install 'judgestream[local]'"
        )
    package = Path(spec.origin).parent
    server = package / "tritonserver"
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    install = TritonInstall(
        program=server / "bin" / "tritonserver",
        python_backend=server / "backends" / "python",
        stub=server / "python_backend_stubs" / version / _STUB,
        libraries=package.parent / "nvidia_pytriton.libs",
        libpython=_libpython(),
    )
    if not install.stub.is_file():
        raise ServerMissing(
            f"This nvidia-pytriton has no Python backend for Python {version}:"
            f" {install.stub} is missing. Use Python 3.11 or 3.12, or another nvidia-pytriton."
        )
    if not install.program.is_file() or not install.python_backend.is_dir():
        raise ServerMissing(
            f"This nvidia-pytriton has no server in {server}."
            " Install one that has: pip install 'nvidia-pytriton>=0.7,<0.8'"
        )
    return install


def make_backend_directory(install: TritonInstall, folder: Path) -> Path:
    """Create a new `--backend-directory` in `folder`: links to the shipped backend, with the stub for this
    Python beside them, where the backend looks for it. site-packages stays unchanged (it may be read-only),
    and the copy of the stub (1.4 MB) is executable even where pip dropped the bit.
    """
    shutil.rmtree(folder, ignore_errors=True)
    backend = folder / "python"
    backend.mkdir(parents=True)
    for part in install.python_backend.iterdir():
        if part.name != _STUB:
            (backend / part.name).symlink_to(part)
    stub = backend / _STUB
    shutil.copyfile(install.stub, stub)
    stub.chmod(0o755)
    if install.libpython is not None:
        # A link to this file only: its folder may hold incompatible libraries, as conda's does.
        (backend / _libpython_name()).symlink_to(install.libpython)
    return folder


def server_environment(
    install: TritonInstall, backends: Path, base: Mapping[str, str]
) -> dict[str, str]:
    """`base` with the variables of the server and its stubs. `backends` is from make_backend_directory.

    The stub embeds Python and takes its prefix, and so its packages, from the first `python3` on PATH. That
    must be this interpreter: another one may load numpy 2, which corrupts every BYTES tensor. Raises
    ServerMissing when there is no `python3` beside this interpreter.
    """
    folder = Path(sys.executable).parent
    if not (folder / "python3").exists():
        raise ServerMissing(
            f"Triton's Python backend needs a program named python3, and {folder} has none."
            f" Run judgestream from a virtual environment: {sys.executable} -m venv .venv"
        )
    environment = dict(base)
    environment["PATH"] = f"{folder}:{base.get('PATH', os.defpath)}"
    folders = [str(backends / "python"), str(install.libraries)]
    if base.get("LD_LIBRARY_PATH"):
        folders.append(base["LD_LIBRARY_PATH"])
    environment["LD_LIBRARY_PATH"] = ":".join(folders)
    environment.pop("PYTHONHOME", None)  # it would override the prefix
    # The backend starts models through a shell, which would run these files.
    environment.pop("BASH_ENV", None)
    environment.pop("ENV", None)
    return environment


def check_libraries(install: TritonInstall, environment: Mapping[str, str]) -> None:
    """Ask the dynamic linker whether the server and the stub find all their libraries.

    Raises ServerMissing with the missing library and how to fix it.
    """
    for program in (install.program, install.stub):
        tracing = {**environment, "LD_TRACE_LOADED_OBJECTS": "1"}
        linker = "/lib64/ld-linux-x86-64.so.2"  # called directly, as pip may drop executable bits
        done = subprocess.run(
            [linker, str(program)], env=tracing, capture_output=True, text=True, timeout=30
        )
        missing = [line.split()[0] for line in done.stdout.splitlines() if "not found" in line]
        if done.returncode != 0 and not missing:
            missing = [done.stderr.strip().rpartition(": ")[2] or "a library"]
        if missing:
            raise ServerMissing(_missing_words(program, missing))


def _missing_words(program: Path, missing: list[str]) -> str:
    library = _libpython_name()
    if library in missing:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        return (
            f"Triton's Python backend needs {library}, and {sys.executable} was built without it."
            f" Use an interpreter that has it, without root: `pip install uv && uv venv"
            f" --managed-python --python {version} .venv`, or with pyenv"
            f" `PYTHON_CONFIGURE_OPTS=--enable-shared pyenv install {version}`; on Debian and"
            f" Ubuntu with root: `apt install libpython{version}`."
        )
    return (
        f"{program.name} cannot start here: {', '.join(missing)} not found. It needs a Linux with"
        " glibc 2.34 or newer and libstdc++ (Debian 12, Ubuntu 22.04, RHEL 9 or newer)."
    )


def _libpython_name() -> str:
    return f"libpython{sys.version_info.major}.{sys.version_info.minor}.so.1.0"


def _libpython() -> Path | None:
    folders = [
        # LIBDIR of a relocated interpreter is a folder of the machine that built it.
        sysconfig.get_config_var("LIBDIR"),
        f"{sys.base_exec_prefix}/lib",
        f"{sys.base_prefix}/lib",
        f"{sys.base_exec_prefix}/lib64",
    ]
    candidates = (Path(folder) / _libpython_name() for folder in folders if folder)
    return next((path.resolve() for path in candidates if path.is_file()), None)
