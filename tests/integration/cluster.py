"""Real servers, shared by tests one after the other, and the workers of one test."""

import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import redis
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import MemberToRemove
from kafka.errors import KafkaError

from judgestream.adapters.kafka.topics import admin, apply
from judgestream.contracts.topics import DEAD_LETTERS, REQUESTS, VERDICTS, Topic
from judgestream.local.errors import ServerDied
from judgestream.local.kafka import KafkaServer
from judgestream.local.process import Command, ServerProcess
from judgestream.local.server import LocalServer
from judgestream.local.triton import TritonServer
from judgestream.local.valkey import ValkeyServer
from judgestream.settings import Kafka
from judgestream.v1.judging_pb2 import Candidate, JudgeRequest, Verdict
from tests.paths import environment

MODELS = Path(__file__).resolve().parent.parent / "models"
INSTANT = "instant"

# A dead worker is noticed soon; a production group would rather wait for its restart.
QUICK = {
    "JUDGESTREAM_KAFKA__SESSION_TIMEOUT_S": "6",
    "JUDGESTREAM_KAFKA__REBALANCE_TIMEOUT_S": "10",
    "JUDGESTREAM_JUDGING__DEADLINE_S": "5",
    "JUDGESTREAM_JUDGING__MAX_BACKOFF_S": "1",
    "JUDGESTREAM_BIAS__PUBLISH_INTERVAL_S": "0.5",
}


def worker_command(kind: str, slot: int) -> list[str]:
    command = ("rollout", "serve") if kind == "rollout" else ("worker", kind)
    return [sys.executable, "-m", "judgestream.apps.cli", *command, "--slot", str(slot)]


def start_worker(kind: str, slot: int, *, folder: Path, env: Mapping[str, str]) -> ServerProcess:
    """Start a worker or the rollout service, as a supervisor does. `folder` gets its log and ready file."""
    name = f"{kind}-{slot}"
    ready = folder / f"{name}.ready"
    ready.unlink(missing_ok=True)
    return ServerProcess(
        Command(
            name=name,
            argv=[*worker_command(kind, slot), "--ready-file", str(ready)],
            log_path=folder / f"{name}.log",
            cwd=folder,
            env=env,
            stop_seconds=15.0,
        )
    )


def await_partitions(process: ServerProcess) -> None:
    """Wait until a started worker has its partitions."""
    process.wait_ready(
        (process.command.cwd / f"{process.command.name}.ready").exists,
        what="been assigned its partitions",
        seconds=60.0,
        advice="see its log",
    )


def instant_triton(folder: Path, *, extra_arguments: Sequence[str] = ()) -> TritonServer:
    """A Triton whose judge answers at once, or after the delay that a prompt names."""
    repository = folder / "models"
    if not repository.exists():
        shutil.copytree(MODELS, repository)
    return TritonServer(
        run_dir=folder / "run",
        model_repository=repository,
        models=[INSTANT],
        extra_arguments=extra_arguments,
    )


@dataclass
class Cluster:
    """Kafka, Valkey and Triton, with topics made, and any number of workers."""

    folder: Path
    kafka: KafkaServer
    valkey: ValkeyServer
    triton: TritonServer
    workers: dict[str, ServerProcess] = field(default_factory=dict)
    more: dict[str, object] = field(default_factory=dict)
    """Settings of every process of this cluster, such as `rollout__grpc`."""

    @property
    def settings(self) -> Kafka:
        return Kafka(bootstrap=self.kafka.bootstrap)

    def environment(self, **settings: object) -> dict[str, str]:
        """The variables of a process that uses this cluster, with settings such as `judging__inflight=4`."""
        addresses = {
            "JUDGESTREAM_KAFKA__BOOTSTRAP": self.kafka.bootstrap,
            "JUDGESTREAM_REDIS__URL": self.valkey.url,
            "JUDGESTREAM_TRITON__GRPC": self.triton.grpc_url,
        }
        # other tests may have left their releases on the Triton that all of them share
        one = self.triton.models[0] if len(self.triton.models) == 1 else ""
        both = {"triton__release": one, **self.more, **settings}
        chosen = {f"JUDGESTREAM_{name.upper()}": str(value) for name, value in both.items()}
        return environment(**{**QUICK, **addresses, **chosen})

    def work(self, kind: str = "judging", slot: int = 0, **settings: object) -> ServerProcess:
        """Start a worker, as a supervisor does, and wait until it has its partitions."""
        name = f"{kind}-{slot}"
        if kind == "rollout":  # it would put the release of this setting into service
            settings = {"triton__release": "", **self.more, **settings}
        process = start_worker(kind, slot, folder=self.folder, env=self.environment(**settings))
        self.workers[name] = process
        await_partitions(process)
        return process

    def kill(self, name: str) -> None:
        """SIGKILL a worker alone, as the kernel does when memory runs out."""
        process = self.workers.pop(name)
        os.kill(process.pid, signal.SIGKILL)
        process.stop()

    def producer(self) -> KafkaProducer:
        return KafkaProducer(bootstrap_servers=self.kafka.bootstrap, acks="all", linger_ms=5)

    def submit(self, requests: Iterable[JudgeRequest]) -> list[str]:
        """Publish, delivery confirmed. Returns the request ids."""
        producer = self.producer()
        sent = [
            (
                r.request_id,
                producer.send(REQUESTS.name, r.SerializeToString(), r.request_id.encode()),
            )
            for r in requests
        ]
        for _, future in sent:
            future.get(timeout=30)
        producer.close()
        return [request_id for request_id, _ in sent]

    def records(self, topic: Topic) -> Iterator[tuple[TopicPartition, Any]]:
        """Every record that a topic has now."""
        consumer = KafkaConsumer(
            bootstrap_servers=self.kafka.bootstrap, enable_auto_commit=False, group_id=None
        )
        partitions = [TopicPartition(topic.name, p) for p in range(topic.partitions)]
        consumer.assign(partitions)
        consumer.seek_to_beginning(*partitions)
        ends = consumer.end_offsets(partitions)
        while any(consumer.position(tp) < ends[tp] for tp in partitions):
            for tp, batch in consumer.poll(timeout_ms=200).items():
                for record in batch:
                    yield tp, record
        consumer.close()

    def verdicts(self) -> list[Verdict]:
        return [Verdict.FromString(record.value) for _, record in self.records(VERDICTS)]

    def count(self, topic: Topic) -> int:
        client = KafkaConsumer(bootstrap_servers=self.kafka.bootstrap, group_id=None)
        partitions = [TopicPartition(topic.name, p) for p in range(topic.partitions)]
        total: int = sum(client.end_offsets(partitions).values())
        client.close()
        return total

    def wait_verdicts(self, ids: Iterable[str], *, seconds: float) -> list[Verdict]:
        """All verdicts, once every one of these requests has one."""
        wanted = set(ids)
        wait(
            lambda: (
                self.count(VERDICTS) >= len(wanted)
                and wanted <= {verdict.request_id for verdict in self.verdicts()}
            ),
            what=f"{len(wanted)} verdicts ({self.count(VERDICTS)} records, {self.count(DEAD_LETTERS)} dead)",
            seconds=seconds,
        )
        return self.verdicts()

    def stop_workers(self) -> None:
        while self.workers:
            _, process = self.workers.popitem()
            process.stop()


def wait(condition: Callable[[], bool], *, what: str, seconds: float) -> None:
    """Poll until `condition` holds. Raises TimeoutError, which names `what`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds:.0f} s for {what}")
        time.sleep(0.2)


@dataclass(frozen=True, kw_only=True)
class Servers:
    """Running servers that one test after the other uses. A test may stop or kill them."""

    kafka: KafkaServer
    valkey: ValkeyServer
    triton: TritonServer

    @contextmanager
    def cluster(self, folder: Path) -> Iterator[Cluster]:
        """The servers without the topics, groups and keys of the test before; workers stop at the end."""
        for server in (self.kafka, self.valkey, self.triton):
            revive(server)
        empty(self.kafka)
        with redis.from_url(self.valkey.url) as client:
            client.flushall()
        cluster = Cluster(folder=folder, kafka=self.kafka, valkey=self.valkey, triton=self.triton)
        with closing(admin(cluster.settings)) as kafka:
            apply(kafka, cluster.settings)
        try:
            yield cluster
        finally:
            cluster.stop_workers()


def revive(server: LocalServer) -> None:
    """Start a server that a test has stopped or killed."""
    try:
        server.check()
    except ServerDied:
        server.stop()
        server.start()


def empty(kafka: KafkaServer) -> None:
    """Delete every topic and every consumer group, and wait until they are gone."""
    with closing(admin(Kafka(bootstrap=kafka.bootstrap))) as client:

        def groups_gone() -> bool:
            try:
                groups = [group["group_id"] for group in client.list_groups()]
                for group in groups:
                    remove_members(client, group)
                return not groups or set(client.delete_groups(groups).values()) == {"OK"}
            except KafkaError as error:  # such as a coordinator that still loads
                if not error.retriable:
                    raise
                return False

        def topics() -> list[str]:
            return sorted(set(client.list_topics()) - {"__consumer_offsets", "__transaction_state"})

        wait(groups_gone, what="consumer groups to be deleted", seconds=60)
        if left := topics():
            client.delete_topics(left)
        wait(lambda: not topics(), what="topics to be deleted", seconds=30)


def remove_members(client: KafkaAdminClient, group: str) -> None:
    """End the sessions of static members: they would outlive their workers until the session timeout."""
    (described,) = client.describe_groups([group]).values()
    client.remove_group_members(
        group,
        [
            MemberToRemove(
                member_id=member["member_id"], group_instance_id=member["group_instance_id"]
            )
            for member in described["members"]
        ],
    )


@contextmanager
def running(folder: Path, triton: TritonServer) -> Iterator[Cluster]:
    """A cluster with its own Kafka and Valkey."""
    with (
        KafkaServer(data_dir=folder / "kafka") as kafka,
        ValkeyServer(data_dir=folder / "valkey") as valkey,
        Servers(kafka=kafka, valkey=valkey, triton=triton).cluster(folder) as cluster,
    ):
        yield cluster


def pairs(count: int, tag: str, *, sleep_ms: int = 0) -> list[JudgeRequest]:
    """Requests that the instant judge takes `sleep_ms` for."""
    slow = f"SLEEP {sleep_ms}" if sleep_ms else ""
    return [
        JudgeRequest(
            request_id=f"{tag}-{k}",
            question=f"question {k} {slow}",
            candidates=[
                Candidate(id="a", text="x" * (k % 17)),
                Candidate(id="b", text="y" * (k % 5)),
            ],
        )
        for k in range(count)
    ]
