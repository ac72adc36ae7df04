"""More brokers beside a `KafkaServer`, which stays the only controller of the cluster."""

import os
import signal
from pathlib import Path

from judgestream.local import kafka_archive, kafka_jars
from judgestream.local.cache import cache_root
from judgestream.local.kafka import KafkaServer, _format, _java, serves
from judgestream.local.kafka_config import java_command, properties
from judgestream.local.ports import HOST, free_port
from judgestream.local.process import Command
from judgestream.local.server import LocalServer


class Broker(LocalServer):
    """A broker that joins the cluster of the first one."""

    name = "Kafka"
    log_name = "kafka.log"

    def __init__(self, first: KafkaServer, *, node: int, data_dir: Path) -> None:
        super().__init__(data_dir)
        self._first = first
        self._node = node
        self.port = free_port()

    @property
    def address(self) -> str:
        return f"{HOST}:{self.port}"

    def _launch(self) -> None:
        java, jars = _java(), kafka_jars.prepare(cache_root())
        archive = kafka_archive.prepare(cache_root(), java=java, jars=jars, ready=serves)
        command = java_command(java=java, jars=jars, archive=archive)
        config = self.folder / "server.properties"
        text = properties(
            port=self.port,
            controller_port=self._first.controller_port,
            log_dir=self.folder / "data",
        )
        # of two lines with one key, Java takes the last
        ours = {
            "process.roles": "broker",
            "node.id": self._node,
            "broker.rack": f"rack-{self._node}",
            "listeners": f"PLAINTEXT://{self.address}",
        }
        config.write_text(text + "".join(f"{key}={value}\n" for key, value in ours.items()))
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
            lambda: serves(self.port),
            what=f"answered on {self.address}",
            seconds=60.0,
            advice="The machine may be busy.",
        )

    def kill(self) -> None:
        """SIGKILL, as when a machine dies."""
        if self.process is not None:
            os.kill(self.process.pid, signal.SIGKILL)
        self.stop()
