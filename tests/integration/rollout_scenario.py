"""A rollout under load: a steady stream of requests through stage, shadow, canary, promotion and rollback,
while the rollout service, a worker and a Triton are killed once each.

The test asserts what every request got; the benchmark reads the latencies of the same run.
"""

import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from kafka import KafkaConsumer, TopicPartition
from pydantic import SecretStr

from judgestream.adapters.rollout.calls import RolloutCalls
from judgestream.adapters.rollout.errors import RolloutUnavailable
from judgestream.contracts.topics import REQUESTS, VERDICTS
from judgestream.local.ports import HOST, free_port
from judgestream.local.process import Command, ServerProcess
from judgestream.local.triton import TritonServer
from judgestream.v1 import rollout_pb2 as pb
from tests.integration.cluster import INSTANT, Cluster, pairs, wait

CANDIDATE = "instant-candidate"
MARK = "candidate"
"""`finish_reason` of every reply of the candidate: it tells which release gave a pass."""

LAST_S = 8.0
"""The stream continues for this long after the last move, however late a slow machine makes that."""
MOST = 4
"""The stream ends at this many times its `count`."""


def second_instant(repository: Path) -> str:
    """The instant judge under another name and digest, its replies marked. It is installed as an endpoint's
    release is: without a checkpoint."""
    folder = repository / CANDIDATE
    shutil.copytree(repository / INSTANT, folder)
    config = (folder / "config.pbtxt").read_text(encoding="utf-8").partition("parameters [")[0]
    values = {
        "checkpoint_digest": "c" * 64,
        "template_id": "judgelm-v1",
        "max_input_tokens": 2048,
        "endpoint": "http://127.0.0.1:9/v1",
        "endpoint_model": MARK,
    }
    lines = [
        f'parameters {{ key: "{name}" value: {{ string_value: "{value}" }} }}'
        for name, value in values.items()
    ]
    (folder / "config.pbtxt").write_text("\n".join([config, *lines]) + "\n", encoding="utf-8")
    code = (folder / "1" / "model.py").read_text(encoding="utf-8")
    (folder / "1" / "model.py").write_text(code.replace('b"stop"', f'b"{MARK}"'), encoding="utf-8")
    return CANDIDATE


@dataclass
class Stream:
    """At least `count` requests at a steady rate from its own thread, until `finish`. `sent` has the time of
    each, by its id."""

    cluster: Cluster
    count: int
    rate: float
    sent: dict[str, float] = field(default_factory=dict)
    _thread: threading.Thread | None = None
    _enough: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        producer = self.cluster.producer()
        began = time.monotonic()
        for k, request in enumerate(pairs(MOST * self.count, "flow")):
            if k >= self.count and self._enough.is_set():
                break
            time.sleep(max(0.0, began + k / self.rate - time.monotonic()))
            producer.send(REQUESTS.name, request.SerializeToString(), request.request_id.encode())
            self.sent[request.request_id] = time.time()
        producer.flush(30)
        producer.close()

    def reaches(self, share: float) -> None:
        """Wait until this share of the requests is sent."""
        least = int(share * self.count)
        wait(
            lambda: len(self.sent) >= least,
            what=f"{least} requests to be sent",
            seconds=60 + self.count / self.rate,
        )

    def finish(self) -> None:
        """Send for `LAST_S` more, and until there are `count`."""
        time.sleep(LAST_S)
        self._enough.set()
        if self._thread is not None:
            self._thread.join(60 + self.count / self.rate)


@dataclass
class Service:
    """`judgestream rollout serve`, and a client of it."""

    cluster: Cluster
    address: str
    process: ServerProcess | None = None

    def start(self) -> None:
        self.process = ServerProcess(
            Command(
                name="rollout",
                argv=[sys.executable, "-m", "judgestream.apps.cli", "rollout", "serve"],
                log_path=self.cluster.folder / "rollout.log",
                cwd=self.cluster.folder,
                env=self.cluster.environment(),
                stop_seconds=15.0,
            )
        )

    def stop(self) -> None:
        process, self.process = self.process, None
        if process is not None:
            process.stop()

    def state(self) -> pb.Rollout | None:
        """The state now; None while the service does not answer."""
        with self._calls() as calls:
            try:
                return calls.get()
            except RolloutUnavailable:
                return None

    def await_release(
        self, release: str, *, stage: pb.Stage, step: pb.Step, seconds: float = 60.0
    ) -> None:
        def there() -> bool:
            state = self.state()
            return state is not None and any(
                one.release == release and one.stage == stage and one.step == step
                for one in state.releases
            )

        wait(there, what=f"{release} in stage {stage} at step {step}", seconds=seconds)

    def move(self, action: str, release: str = "", *, share: float = 0.0) -> float:
        """Make a move, asking again while no instance leads. Returns when it was confirmed."""
        deadline = time.monotonic() + 30.0
        while True:
            try:
                with self._calls() as calls:
                    calls.move(
                        action, release=release, share=share, by="test", why="the proof", force=True
                    )
                return time.time()
            except RolloutUnavailable:
                if time.monotonic() > deadline:
                    raise
            time.sleep(0.3)

    def _calls(self) -> RolloutCalls:
        return RolloutCalls(self.address, SecretStr(""))


@dataclass
class Outcome:
    """When each request was sent and judged, and when each event happened; seconds since 1970."""

    sent: Mapping[str, float]
    judged: Mapping[str, float]
    events: Mapping[str, float]


@contextmanager
def fleet(cluster: Cluster, folder: Path) -> Iterator[tuple[TritonServer, TritonServer]]:
    """Two Tritons over one repository, which the cluster uses from now on."""
    repository = folder / "models"
    shutil.copytree(cluster.triton.model_repository, repository)
    second_instant(repository)
    servers = tuple(
        TritonServer(run_dir=folder / f"triton-{k}", model_repository=repository, models=[INSTANT])
        for k in (1, 2)
    )
    try:
        for server in servers:
            server.start()
        yield servers[0], servers[1]
    finally:
        for server in servers:
            server.stop()


def run(cluster: Cluster, *, count: int, rate: float, kills: bool = True) -> Outcome:
    """Let the requests flow while the rollout goes through all stages and, with `kills`, three processes are
    killed."""
    events: dict[str, float] = {}
    with fleet(cluster, cluster.folder) as (first, second):
        address = f"{HOST}:{free_port()}"
        cluster.more = {
            "triton__grpc": f"{first.grpc_url},{second.grpc_url}",
            "triton__release": INSTANT,
            "rollout__grpc": address,
            "rollout__repository": cluster.folder / "models",
            "rollout__least_servers": 2,
        }
        service = Service(cluster, address)
        stream = Stream(cluster, count, rate)
        try:
            service.start()
            service.await_release(INSTANT, stage=pb.STAGE_STABLE, step=pb.STEP_READY)
            for slot in (0, 1):
                cluster.work(slot=slot)
            cluster.work("shadow")
            stream.start()
            stream.reaches(0.08)
            events["stage"] = service.move("stage", CANDIDATE)
            service.await_release(CANDIDATE, stage=pb.STAGE_STAGED, step=pb.STEP_READY)
            stream.reaches(0.2)
            events["shadow"] = service.move("shadow", CANDIDATE, share=0.5)
            stream.reaches(0.28)
            if kills:
                _kill(service)
                events["service killed"] = time.time()
                service.start()
            stream.reaches(0.4)
            events["canary"] = service.move("canary", CANDIDATE, share=0.1)
            stream.reaches(0.5)
            if kills:
                cluster.kill("judging-0")
                events["worker killed"] = time.time()
                cluster.work(slot=0)
            stream.reaches(0.62)
            events["promote"] = service.move("promote", CANDIDATE)
            stream.reaches(0.7)
            if kills:
                _kill_server(first)
                events["triton killed"] = time.time()
                first.start()
            stream.reaches(0.85)
            events["rollback"] = service.move("rollback")
            stream.finish()
            events["end"] = time.time()
            cluster.wait_verdicts(stream.sent, seconds=120.0)
        finally:
            cluster.stop_workers()
            service.stop()
    return Outcome(sent=stream.sent, judged=_first_times(cluster), events=events)


def _kill(service: Service) -> None:
    assert service.process is not None
    os.kill(service.process.pid, signal.SIGKILL)
    service.stop()


def _kill_server(server: TritonServer) -> None:
    assert server.process is not None
    os.kill(server.process.pid, signal.SIGKILL)
    server.stop()


def _first_times(cluster: Cluster) -> dict[str, float]:
    """Request id -> when its first verdict was appended to the topic, by the broker's or producer's clock."""
    consumer = KafkaConsumer(bootstrap_servers=cluster.kafka.bootstrap, group_id=None)
    partitions = [TopicPartition(VERDICTS.name, p) for p in range(VERDICTS.partitions)]
    consumer.assign(partitions)
    consumer.seek_to_beginning(*partitions)
    ends = consumer.end_offsets(partitions)
    first: dict[str, float] = {}
    while any(consumer.position(tp) < ends[tp] for tp in partitions):
        for batch in consumer.poll(timeout_ms=200).values():
            for record in batch:
                first.setdefault(record.key.decode(), record.timestamp / 1000.0)
    consumer.close()
    return first
