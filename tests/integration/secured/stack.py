"""The whole pipeline on secured servers: every process with its own identity and the rights of its row.

Settings come from the environment, and secrets from files.
"""

import secrets
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
from pydantic import SecretStr

from judgestream.adapters.rollout.calls import RolloutCalls
from judgestream.adapters.triton.traces import trace_arguments
from judgestream.apps.worker.metrics_ports import OFFSETS
from judgestream.local.ports import HOST, free_port
from judgestream.local.process import ServerProcess
from judgestream.local.triton import TritonServer
from judgestream.settings import Kafka, Redis
from tests.integration.cluster import INSTANT, QUICK, await_partitions, start_worker
from tests.integration.otlp import HttpReceiver, Receiver, receiving, receiving_http
from tests.integration.rollout_scenario import second_instant
from tests.integration.secured.certificates import Authority, Certificate
from tests.integration.secured.kafka import SecuredKafka, secured_kafka
from tests.integration.secured.redis_server import SecuredRedis, secured_redis
from tests.integration.secured.triton import client_settings, client_tls, secured_triton
from tests.paths import environment

WORKERS = (("judging", 0), ("judging", 1), ("shadow", 0), ("bias", 0))
MOVER = "ops"
"""The common name of the certificate that may make moves."""

REAUTHENTICATE_S = 5.0
"""The broker ends connections after this time, so that clients meet its renewed certificate."""

ALARMS = """\
rules:
  always: {metric: flip_consistency, below: 0.99, clear: 0.995, least: 100}
"""


@dataclass(frozen=True, kw_only=True)
class Stack:
    """The servers, and what their users need. `authority` issues all certificates but Kafka's, and those that
    clients show to Redis.
    """

    folder: Path
    kafka: SecuredKafka
    store: SecuredRedis
    triton: TritonServer
    authority: Authority
    receiver: Receiver
    triton_spans: HttpReceiver
    rollout: str = field(default_factory=lambda: f"{HOST}:{free_port()}")
    metrics: int = field(default_factory=free_port)
    control_key: SecretStr = field(default_factory=lambda: SecretStr(secrets.token_urlsafe(24)))
    export_key: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    certificates: dict[str, Certificate] = field(default_factory=dict)
    """Of clients, by name."""

    processes: dict[str, ServerProcess] = field(default_factory=dict)

    @property
    def secrets(self) -> list[str]:
        return [
            *self.kafka.passwords.values(),
            *self.store.passwords.values(),
            self.control_key.get_secret_value(),
            self.export_key,
        ]

    @property
    def secret_files(self) -> Path:
        return self.folder / "secrets"

    @property
    def jobs(self) -> Mapping[str, list[str]]:
        """The metrics pages, as deploy/prometheus names them."""
        jobs: dict[str, list[str]] = {"triton": [f"{HOST}:{self.triton.metrics_port}"]}
        for kind, slot in (("rollout", 0), *WORKERS):
            jobs.setdefault(kind, []).append(f"{HOST}:{self.metrics + OFFSETS[kind] + slot}")
        return jobs

    def identity(self, name: str) -> Certificate:
        """The certificate of a client."""
        if name not in self.certificates:
            self.certificates[name] = self.authority.client(name)
        return self.certificates[name]

    def renew_identities(self) -> None:
        """Replace the certificates of all clients, in place, but those for Redis."""
        for name in self.certificates:
            self.authority.client(name)

    def redis(self, service: str) -> Redis:
        password = SecretStr(self.store.passwords[service])
        return Redis.model_validate({**self.store.login(service), "password": password})

    def calls(self, name: str) -> RolloutCalls:
        """The rollout service, called with the certificate of this name and the control key."""
        tls = client_tls(self.authority, self.identity(name), "rollout")
        return RolloutCalls(self.rollout, self.control_key, tls=tls)

    def start(self, kind: str, slot: int = 0) -> ServerProcess:
        """Start a process, without waiting for it."""
        given = {f"JUDGESTREAM_{k.upper()}": str(v) for k, v in self._settings(kind).items()}
        env = environment(**{**QUICK, **given})
        process = start_worker(kind, slot, folder=self.folder, env=env)
        self.processes[f"{kind}-{slot}"] = process
        return process

    def stop(self) -> None:
        """Stop all processes at the same time."""
        with ThreadPoolExecutor(len(WORKERS) + 1) as pool:
            list(pool.map(ServerProcess.stop, self.processes.values()))

    def _settings(self, kind: str) -> dict[str, object]:
        shown = self.identity(kind)
        kafka = self.kafka.by_password(kind)
        return {
            **_named("kafka", _open_part(kafka)),
            "kafka__password_file": self._secret(f"kafka-{kind}", self.kafka.passwords[kind]),
            **_named("redis", self.store.login(kind)),
            "redis__password_file": self._secret(f"redis-{kind}", self.store.passwords[kind]),
            "triton__grpc": self.triton.grpc_url,
            "triton__release": INSTANT,
            **client_settings(self.authority, shown),
            "telemetry__endpoint": self.receiver.endpoint,
            "telemetry__ca_file": self.authority.file,
            "telemetry__headers_file": self._secret(
                "telemetry", f"authorization={self.export_key}"
            ),
            "telemetry__sample_ratio": 0,
            "worker__log_format": "json",
            "worker__metrics_port": self.metrics,
            **(self._of_rollout() if kind == "rollout" else {}),
            **(
                {"shadow__probe_share": 0.1, "shadow__start": "earliest"}
                if kind == "shadow"
                else {}
            ),
            **(self._of_bias() if kind == "bias" else {}),
        }

    def _of_rollout(self) -> dict[str, object]:
        own = self.authority.server("rollout-service")
        return {
            "triton__control_key_file": self._secret(
                "control-key", self.control_key.get_secret_value()
            ),
            "rollout__grpc": self.rollout,
            "rollout__repository": self.triton.model_repository,
            "rollout__server_certificate_file": own.certificate,
            "rollout__server_key_file": own.key,
            "rollout__client_ca_file": self.authority.file,
            "rollout__movers": MOVER,
        }

    def _of_bias(self) -> dict[str, object]:
        file = self.folder / "alarms.yaml"
        file.write_text(ALARMS)
        return {"bias__window_s": 5, "bias__lateness_s": 10, "bias__alarms": file}

    def _secret(self, name: str, value: str) -> Path:
        self.secret_files.mkdir(exist_ok=True)
        file = self.secret_files / name
        file.touch(mode=0o600)
        file.write_text(value + "\n")
        return file


def _named(group: str, values: Mapping[str, object]) -> dict[str, object]:
    return {f"{group}__{name}": value for name, value in values.items()}


def _open_part(kafka: Kafka) -> dict[str, object]:
    """What is set, without the password."""
    return {name: getattr(kafka, name) for name in kafka.model_fields_set - {"password"}}


@contextmanager
def secured_stack(folder: Path) -> Iterator[Stack]:
    """Start the servers, then the rollout service and the workers, each at the same time."""
    authority = Authority(folder / "certificates")
    collector = authority.server("collector")
    credentials = grpc.ssl_server_credentials(
        [(collector.key.read_bytes(), collector.certificate.read_bytes())]
    )
    key = SecretStr(secrets.token_urlsafe(24))
    with (
        receiving(credentials) as receiver,
        receiving_http() as spans,
        together(
            lambda: secured_kafka(folder / "kafka", reauthenticate_s=REAUTHENTICATE_S),
            lambda: secured_redis(folder / "redis", authority),
            lambda: secured_triton(
                folder / "triton",
                authority,
                key=key,
                extra_arguments=trace_arguments(spans.endpoint),
            ),
        ) as (kafka, store, triton),
    ):
        second_instant(triton.model_repository)
        stack = Stack(
            folder=folder,
            kafka=kafka,
            store=store,
            triton=triton,
            authority=authority,
            receiver=receiver,
            triton_spans=spans,
            control_key=key,
        )
        try:
            started = [stack.start(kind, slot) for kind, slot in (("rollout", 0), *WORKERS)]
            for process in started:
                await_partitions(process)
            yield stack
        finally:
            stack.stop()


@contextmanager
def together(*makers: Callable[[], AbstractContextManager[Any]]) -> Iterator[list[Any]]:
    """Enter contexts at the same time, and leave them one after the other."""
    with ExitStack() as entered:
        with ThreadPoolExecutor(len(makers)) as pool:
            waiting = [pool.submit(entered.enter_context, make()) for make in makers]
        yield [one.result() for one in waiting]
