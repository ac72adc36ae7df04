"""The properties and JVM flags of one Kafka node. Pure text, no I/O."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from judgestream.local.ports import HOST

NODE_ID = 1
# A request may have 8 MiB. Protobuf, CloudEvents headers and the batch's framing come on top.
MAX_MESSAGE_BYTES = 9 * 1024 * 1024
# Fixed, so that a data folder keeps its cluster id. Kafka expects 16 bytes in URL-safe base64.
CLUSTER_ID = "anVkZ2VzdHJlYW0tbG9jYQ"

HEAP_FLAGS = ("-Xms64m", "-Xmx256m")
# C1 and SerialGC start fastest and need the least memory. Only TLS would suffer; it is not used here.
JVM_FLAGS = (
    *HEAP_FLAGS,
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    # Java 25 also stores machine code of adapters in the class cache, and warns at every start that some
    # of it does not fit. It has no benefit here.
    "-XX:+UnlockDiagnosticVMOptions",
    "-XX:-AOTAdapterCaching",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSS",
)


def properties(
    *,
    port: int,
    controller_port: int,
    log_dir: Path,
    changes: Mapping[str, object] = MappingProxyType({}),
) -> str:
    """The `server.properties` of a single KRaft node, broker and controller in one process.

    `changes` replace or add properties: other listeners, an authorizer.
    """
    settings: dict[str, object] = {
        "process.roles": "broker,controller",
        "node.id": NODE_ID,
        "controller.quorum.voters": f"{NODE_ID}@{HOST}:{controller_port}",
        "listeners": f"PLAINTEXT://{HOST}:{port},CONTROLLER://{HOST}:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://{HOST}:{port}",
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "PLAINTEXT",
        "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
        "log.dirs": log_dir,
        "auto.create.topics.enable": "false",
        "message.max.bytes": MAX_MESSAGE_BYTES,
        "replica.fetch.max.bytes": MAX_MESSAGE_BYTES,
        # With one node, every internal topic has one replica.
        "offsets.topic.replication.factor": 1,
        "offsets.topic.num.partitions": 4,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "transaction.state.log.num.partitions": 1,
        "share.coordinator.state.topic.replication.factor": 1,
        "share.coordinator.state.topic.min.isr": 1,
        "group.initial.rebalance.delay.ms": 0,
        # After a SIGKILL the controller waits for this session to end: 3 s instead of 11.
        "broker.session.timeout.ms": 2000,
        "broker.heartbeat.interval.ms": 500,
        # The default of 128 MB does not fit a small heap.
        "log.cleaner.dedupe.buffer.size": 4 * 1024 * 1024,
    }
    settings.update(changes)
    return "".join(f"{key}={_escape(str(value))}\n" for key, value in settings.items())


def _escape(value: str) -> str:
    """A value as a Java properties file writes it, where a backslash or a new line is escaped."""
    return value.replace("\\", "\\\\").replace("\n", "\\n")


def java_command(
    *, java: Path, jars: Sequence[Path], archive: Path | None, flags: Sequence[str] = ()
) -> list[str]:
    """`java` with our flags and the class path. The main class and its arguments follow."""
    cached = [] if archive is None else [f"-XX:AOTCache={archive}"]
    class_path = ":".join(str(jar) for jar in jars)
    return [str(java), *JVM_FLAGS, *cached, *flags, "-cp", class_path]


def parse_meta(text: str) -> dict[str, str]:
    """The entries of a `meta.properties`, which identifies the cluster of a data folder."""
    lines = (line.strip() for line in text.splitlines())
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {key.strip(): value.strip() for key, _, value in pairs}
