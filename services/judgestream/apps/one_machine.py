"""judgestream on one machine: the servers, the topics, the bundled judge and the workers, tended together.

A server that the settings name (`kafka.bootstrap`, `redis.url`, `triton.grpc`) is somebody else's: it is used
and never started or stopped.
"""

import logging
import os
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from pydantic import SecretStr

from judgestream.adapters import model_repository
from judgestream.adapters.kafka.topics import Difference, admin, apply
from judgestream.adapters.triton_control import restrictions
from judgestream.core.errors import ConfigurationError
from judgestream.core.types import Release
from judgestream.local import preflight
from judgestream.local.errors import LocalServerError, ServerDied
from judgestream.local.private import kept_secret, private_folder
from judgestream.local.process import Command, ServerProcess
from judgestream.local.stack import External, LocalKafka, LocalTriton, LocalValkey, Stack
from judgestream.local.triton import require_plain_path
from judgestream.settings import PREFIX, Settings

log = logging.getLogger(__name__)

JUDGE = "judges/default"
WORKER_READY_S = 90.0
CONTROL_KEY_FILE = "triton-control.key"
VALKEY_KEY_FILE = "valkey.key"
"""Secrets of a data folder, kept over restarts: a worker that outlives the stack still knows them."""

RESTART_S = 1.0
MAX_RESTART_S = 30.0

Say = Callable[[str], None]


@dataclass(kw_only=True, slots=True)
class _Worker:
    kind: str
    slot: int
    process: ServerProcess
    failures: int = 0
    start_at: float = 0.0

    @property
    def name(self) -> str:
        return f"{self.kind}-{self.slot}"


class OneMachine:
    """Everything of one data folder. `start`, then `tend` about every second, then `stop`."""

    def __init__(self, settings: Settings, *, data: Path, free_ports: bool = False) -> None:
        """Nothing is started yet.

        Args:
            free_ports: choose free ports, but for those that the settings name.
        """
        self._settings = settings
        self.data = data
        chosen = settings.local.model_fields_set if free_ports else None
        local = settings.local

        def port(name: str) -> int | None:
            return int(getattr(local, name)) if chosen is None or name in chosen else None

        self._ports = {
            "kafka": port("kafka_port"),
            "valkey": port("redis_port"),
            "http": port("triton_http_port"),
            "grpc": port("triton_grpc_port"),
            "metrics": port("triton_metrics_port"),
        }
        self.release: Release | None = None
        self._control_key = settings.triton.control_key
        self._stack: Stack | None = None
        self._workers: list[_Worker] = []

    @property
    def environment(self) -> Mapping[str, str]:
        """The variables by which any judgestream command finds these servers."""
        stack = self._running()
        release = self._settings.triton.release if self.release is None else self.release.name
        return {
            f"{PREFIX}KAFKA__BOOTSTRAP": stack.kafka_bootstrap or "",
            f"{PREFIX}REDIS__URL": stack.valkey_url or "",
            f"{PREFIX}TRITON__GRPC": stack.triton_url or "",
            f"{PREFIX}TRITON__RELEASE": release,
            f"{PREFIX}TRITON__CONTROL_KEY": self._control_key.get_secret_value(),
        }

    def start(self, say: Say) -> None:
        """Check the machine, start the servers, make the topics, start the workers.

        Raises:
            JudgestreamError: one clear sentence; what had been started is stopped again.
        """
        try:
            self._start_servers(say)
            self._make_topics(say)
            self._start_workers(say)
        except BaseException:
            self.stop()
            raise

    def tend(self) -> None:
        """One look: start workers again that have ended.

        Raises:
            ServerDied: a server of ours has ended; the message quotes its log.
        """
        self._running().check()
        now = monotonic()
        for worker in self._workers:
            if worker.process.running:
                continue
            if not worker.start_at:
                worker.failures += 1
                pause = min(MAX_RESTART_S, RESTART_S * 2.0 ** (worker.failures - 1))
                worker.start_at = now + pause
                log.warning("%s ended; starting it again in %.0f s", worker.name, pause)
            elif now >= worker.start_at:
                worker.process.stop()
                worker.process = self._spawn(worker.kind, worker.slot)
                worker.start_at = 0.0

    def revive(self) -> None:
        """Start again the servers of ours that have ended. Raises as they do when that fails."""
        for server in self._running().servers.values():
            try:
                server.check()
            except ServerDied as exc:
                log.warning("%s: starting it again", exc)
                server.stop()
                server.start()
        self._running().save()

    def stop(self) -> None:
        """Workers first, then the servers in reverse order. Nothing is left running."""
        workers, self._workers = self._workers, []
        if workers:
            with ThreadPoolExecutor(len(workers)) as pool:
                list(pool.map(lambda worker: worker.process.stop(), workers))
        stack, self._stack = self._stack, None
        if stack is not None:
            stack.stop()

    def _running(self) -> Stack:
        if self._stack is None:
            raise LocalServerError("the local stack is not started")
        return self._stack

    def _start_servers(self, say: Say) -> None:
        settings, ports = self._settings, self._ports
        kafka = (
            External(address=settings.kafka.bootstrap)
            if _named(settings.kafka, "bootstrap")
            else None
        )
        url = settings.redis.url.get_secret_value()
        valkey = External(address=url) if _named(settings.redis, "url") else None
        triton = External(address=settings.triton.grpc) if _named(settings.triton, "grpc") else None
        ours = [
            n for n, e in (("kafka", kafka), ("valkey", valkey), ("triton", triton)) if e is None
        ]
        wanted = {"Kafka": ports["kafka"], "Valkey": ports["valkey"]} if ours else {}
        wanted |= {f"Triton {name}": ports[name] for name in ("http", "grpc", "metrics")}
        private_folder(self.data)
        preflight.check(
            data_dir=self.data,
            servers=ours,
            ports={
                name: port
                for name, port in wanted.items()
                if port is not None and name.split()[0].lower() in ours
            },
        )
        if triton is None:
            require_plain_path(self.data / "models", "The model repository")
            self._control_key = SecretStr(kept_secret(self.data / CONTROL_KEY_FILE))
            repository = self.data / "models"
            checkpoint = settings.local.checkpoint or model_repository.bundled_models() / JUDGE
            self.release = model_repository.install(checkpoint, repository)
            say(f"judge {self.release.name} from {checkpoint}")
        names = ", ".join(name.capitalize() for name in ours) or "no server of our own"
        say(f"starting {names} (logs under {self.data})")
        self._stack = Stack(
            data_dir=self.data,
            kafka=kafka or LocalKafka(port=ports["kafka"]),
            valkey=valkey
            or LocalValkey(port=ports["valkey"], password=kept_secret(self.data / VALKEY_KEY_FILE)),
            triton=triton
            or LocalTriton(
                model_repository=self.data / "models",
                models=[self.release.name] if self.release else [],
                http_port=ports["http"],
                grpc_port=ports["grpc"],
                metrics_port=ports["metrics"],
                hidden_arguments=restrictions(self._control_key),
            ),
        )
        self._stack.start()

    def _make_topics(self, say: Say) -> None:
        kafka = self._settings.kafka.model_copy(
            update={"bootstrap": self._running().kafka_bootstrap}
        )
        client = admin(kafka)
        try:
            created, differences = apply(client, kafka)
        finally:
            client.close()
        say(f"topics: {len(created)} created" if created else "topics: all there")
        _refuse(differences)

    def _start_workers(self, say: Say) -> None:
        wanted = [("judging", slot) for slot in range(self._settings.local.judging_workers)]
        wanted += [("bias", 0), ("controller", 0)]
        say("starting workers: " + ", ".join(f"{kind}-{slot}" for kind, slot in wanted))
        self._workers = [
            _Worker(kind=kind, slot=slot, process=self._spawn(kind, slot)) for kind, slot in wanted
        ]
        for worker in self._workers:
            worker.process.wait_ready(
                self._ready_file(worker.name).exists,
                what="been assigned its partitions",
                seconds=WORKER_READY_S,
                mend="The machine may be short of CPU: start again.",
            )

    def _ready_file(self, name: str) -> Path:
        return self.data / "workers" / f"{name}.ready"

    def _spawn(self, kind: str, slot: int) -> ServerProcess:
        name = f"{kind}-{slot}"
        ready = self._ready_file(name)
        ready.unlink(missing_ok=True)
        return ServerProcess(
            Command(
                name=f"worker {name}",
                argv=[
                    sys.executable,
                    *("-m", "judgestream.apps.cli", "worker", kind, "--slot", str(slot)),
                    *("--ready-file", str(ready)),
                ],
                log_path=self.data / "workers" / f"{name}.log",
                cwd=self.data,
                env={**os.environ, **self.environment},
                stop_seconds=20.0,
            )
        )


def _named(group: object, field: str) -> bool:
    """Whether the user gave this setting, in whatever way."""
    return field in getattr(group, "model_fields_set", ())


def _refuse(differences: list[Difference]) -> None:
    missing = [str(one) for one in differences if one.absent]
    if missing:
        raise ConfigurationError("topics could not be made:\n  " + "\n  ".join(missing))
    for one in differences:
        log.warning("%s", one)
