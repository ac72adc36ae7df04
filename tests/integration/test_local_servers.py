"""Kafka, Valkey and Triton themselves: they keep data, notice death, and leave nothing behind."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import redis
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import NewTopic
from tritonclient.grpc import InferenceServerClient, InferInput
from tritonclient.utils import InferenceServerException

from judgestream.local.errors import FolderInUse, PortTaken, ServerDied
from judgestream.local.identity import ProcessId, alive, identify
from judgestream.local.kafka import KafkaServer
from judgestream.local.ports import HOST
from judgestream.local.server import LocalServer
from judgestream.local.stack import LocalKafka, LocalTriton, LocalValkey, Stack
from judgestream.local.state import StackState, read_state, stop_from_state
from judgestream.local.triton import TritonServer
from judgestream.local.valkey import ValkeyServer

pytestmark = pytest.mark.integration

SHM = Path("/dev/shm")  # noqa: S108

ECHO_CONFIG = """
backend: "python"
max_batch_size: 8
input [ { name: "IN" data_type: TYPE_STRING dims: [ 1 ] } ]
output [ { name: "OUT" data_type: TYPE_STRING dims: [ 1 ] } ]
instance_group [ { kind: KIND_CPU count: 1 } ]
"""
ECHO_MODEL = """
import os
import numpy as np
import triton_python_backend_utils as pb_utils

class TritonPythonModel:
    def execute(self, requests):
        return [self.answer(request) for request in requests]

    def answer(self, request):
        given = pb_utils.get_input_tensor_by_name(request, "IN").as_numpy()
        answer = np.array(
            [[os.environ["OMP_NUM_THREADS"].encode()] if one[0] == b"threads?" else one
             for one in given], dtype=object)
        return pb_utils.InferenceResponse(output_tensors=[pb_utils.Tensor("OUT", answer)])
"""


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two models: `echo` gives back what it gets, `broken` cannot be loaded."""
    folder = tmp_path_factory.mktemp("repository")
    for name, code in (("echo", ECHO_MODEL), ("broken", "raise RuntimeError('no weights here')")):
        (folder / name / "1").mkdir(parents=True)
        (folder / name / "config.pbtxt").write_text(ECHO_CONFIG)
        (folder / name / "1" / "model.py").write_text(code)
    return folder


def processes_of(server: LocalServer) -> list[ProcessId]:
    assert server.process is not None
    found = [server.process.server, server.process.keeper]
    return found + (server.stubs() if isinstance(server, TritonServer) else [])


def assert_gone(processes: list[ProcessId], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while left := [process for process in processes if alive(process)]:
        assert time.monotonic() < deadline, f"still alive: {left}"
        time.sleep(0.05)


def kill_server(server: LocalServer) -> None:
    """SIGKILL, as the kernel's out-of-memory killer would; returns when it was noticed."""
    assert server.process is not None
    os.kill(server.process.pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while server.process.running:
        assert time.monotonic() < deadline
        time.sleep(0.02)


# ---------------------------------------------------------------------------------------- Kafka


def produce(server: KafkaServer, values: list[bytes]) -> None:
    producer = KafkaProducer(
        bootstrap_servers=server.bootstrap, acks="all", max_request_size=9 * 1024 * 1024
    )
    for value in values:
        producer.send("t", value).get(20)
    producer.close()


def consume(server: KafkaServer) -> list[bytes]:
    consumer = KafkaConsumer(
        bootstrap_servers=server.bootstrap, auto_offset_reset="earliest", consumer_timeout_ms=15_000
    )
    partition = TopicPartition("t", 0)
    consumer.assign([partition])
    end = consumer.end_offsets([partition])[partition]
    values: list[bytes] = []
    while len(values) < end:
        values.append(next(consumer).value)
    consumer.close()
    return values


def test_kafka_keeps_records_over_a_restart_and_over_sigkill(tmp_path: Path) -> None:
    server = KafkaServer(data_dir=tmp_path)
    with server:
        admin = KafkaAdminClient(bootstrap_servers=server.bootstrap)
        admin.create_topics([NewTopic("t", num_partitions=1, replication_factor=1)])
        admin.close()
        produce(server, [b"one", b"x" * (8 * 1024 * 1024)])
        first = processes_of(server)
    assert_gone(first)
    with server:
        assert [len(value) for value in consume(server)] == [3, 8 * 1024 * 1024]
        produce(server, [b"two"])
        kill_server(server)
        with pytest.raises(ServerDied, match=r"Kafka ended unexpectedly \(killed by signal 9\)"):
            server.check()
    with KafkaServer(data_dir=tmp_path) as moved:  # on other ports
        assert consume(moved)[2] == b"two"


def test_kafka_refuses_a_topic_that_nobody_made(tmp_path: Path) -> None:
    with KafkaServer(data_dir=tmp_path) as server:
        admin = KafkaAdminClient(bootstrap_servers=server.bootstrap)
        assert admin.list_topics() == []
        admin.close()
        consumer = KafkaConsumer(bootstrap_servers=server.bootstrap)
        assert not consumer.partitions_for_topic("typo")
        consumer.close()


def test_kafka_on_a_folder_in_use_or_a_taken_port_is_one_clear_sentence(tmp_path: Path) -> None:
    with KafkaServer(data_dir=tmp_path / "a") as server:
        with pytest.raises(FolderInUse, match=f"Kafka's folder by process {os.getpid()}"):
            KafkaServer(data_dir=tmp_path / "a").start()
        with pytest.raises(PortTaken) as caught:
            KafkaServer(data_dir=tmp_path / "b", port=server.port).start()
        assert str(caught.value) == (
            f"Port {server.port} on 127.0.0.1, wanted for Kafka, is taken by process"
            f" {processes_of(server)[0].pid} (java). Stop that program, or change the Kafka port."
        )
        server.check()


def test_kafka_starts_without_its_class_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from judgestream.local import kafka_archive

    monkeypatch.setattr(kafka_archive, "prepare", lambda *args, **named: None)
    with KafkaServer(data_dir=tmp_path) as server:
        admin = KafkaAdminClient(bootstrap_servers=server.bootstrap)
        assert admin.list_topics() == []
        admin.close()


# --------------------------------------------------------------------------------------- Valkey


def test_valkey_keeps_keys_over_a_restart_and_over_sigkill(tmp_path: Path) -> None:
    server = ValkeyServer(data_dir=tmp_path)
    with server, redis.from_url(server.url) as client:
        client.set("a", "1")
        first = processes_of(server)
    assert_gone(first)
    with server, redis.from_url(server.url) as client:
        assert client.get("a") == b"1"
        client.set("b", "2")
        kill_server(server)
        with pytest.raises(ServerDied, match="Valkey ended unexpectedly"):
            server.check()
    with server, redis.from_url(server.url) as client:
        assert client.get("b") == b"2"


def test_valkey_on_a_taken_port_is_one_clear_sentence(tmp_path: Path) -> None:
    with socket.create_server((HOST, 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(PortTaken, match=f"Port {port} .* wanted for Valkey, is taken by"):
            ValkeyServer(data_dir=tmp_path, port=port).start()


# --------------------------------------------------------------------------------------- Triton


@pytest.fixture
def triton(tmp_path: Path, repository: Path) -> Iterator[TritonServer]:
    server = TritonServer(
        run_dir=tmp_path / "triton",
        model_repository=repository,
        models=["echo"],
        omp_num_threads=1,
    )
    with server:
        yield server
    assert not list(SHM.glob(f"{server.shm_prefix}*"))


def ask(client: InferenceServerClient, *values: bytes) -> list[bytes]:
    given = InferInput("IN", [len(values), 1], "BYTES")
    given.set_data_from_numpy(np.array([[value] for value in values], dtype=object))
    answer = client.infer("echo", [given], client_timeout=20).as_numpy("OUT")
    return [bytes(one[0]) for one in answer]


def test_triton_gives_bytes_back_unchanged_and_stops_without_a_trace(triton: TritonServer) -> None:
    long = "Füße 𝕏\0".encode() * 10_000
    with InferenceServerClient(triton.grpc_url) as client:
        assert ask(client, b"", long, b"\xff\x00") == [b"", long, b"\xff\x00"]
        assert ask(client, b"threads?") == [b"1"]
    assert len(triton.stubs()) == 1
    assert list(SHM.glob(f"{triton.shm_prefix}*"))
    processes = processes_of(triton)
    triton.stop()
    assert_gone(processes, seconds=1)


def test_the_death_of_a_stub_is_noticed(triton: TritonServer) -> None:
    assert triton.lost_stubs() == 0
    os.kill(triton.stubs()[0].pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while not triton.lost_stubs():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    with InferenceServerClient(triton.grpc_url) as client:
        with pytest.raises(InferenceServerException):
            ask(client, b"x")


def test_the_death_of_triton_takes_its_stubs_along(triton: TritonServer) -> None:
    processes = processes_of(triton)
    kill_server(triton)
    with pytest.raises(ServerDied, match="Triton ended unexpectedly"):
        triton.check()
    assert_gone(processes, seconds=5)
    assert not list(SHM.glob(f"{triton.shm_prefix}*"))


def test_what_a_killed_keeper_leaves_is_removed_at_the_next_start(triton: TritonServer) -> None:
    assert triton.process is not None
    os.kill(triton.process.keeper.pid, signal.SIGKILL)
    assert_gone([triton.process.server])
    triton.stop()
    left = set(SHM.glob(f"{triton.shm_prefix}*"))
    triton.start()
    assert not left & set(SHM.glob(f"{triton.shm_prefix}*"))


def test_a_model_that_cannot_be_loaded_is_told_with_its_reason(
    tmp_path: Path, repository: Path
) -> None:
    server = TritonServer(run_dir=tmp_path, model_repository=repository, models=["broken"])
    with pytest.raises(ServerDied, match=r"Triton ended unexpectedly(.|\n)*no weights here"):
        server.start()
    assert server.process is None
    assert not list(SHM.glob(f"{server.shm_prefix}*"))


# ---------------------------------------------------------------------------------------- Stack

PARENT = """
import sys, time
from pathlib import Path
from judgestream.local.stack import LocalKafka, LocalTriton, LocalValkey, Stack
folder, repository = map(Path, sys.argv[1:])
triton = LocalTriton(model_repository=repository, models=["echo"], omp_num_threads=1)
Stack(data_dir=folder, kafka=LocalKafka(), valkey=LocalValkey(), triton=triton).start()
time.sleep(600)
"""


@pytest.fixture
def parent(tmp_path: Path, repository: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Another process that runs a whole stack in `tmp_path`."""
    environment = {**os.environ, "PYTHONPATH": ":".join(path for path in sys.path if path)}
    child = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path), str(repository)], env=environment
    )
    try:
        yield child
    finally:
        child.kill()
        child.wait()


def running_state(folder: Path, parent: "subprocess.Popen[bytes]") -> StackState:
    """The state, once all servers run; it is written from the first server on."""
    deadline = time.monotonic() + 120
    while True:
        state = read_state(folder)
        if state is not None and state.running() == ("Kafka", "Valkey", "Triton"):
            break
        assert parent.poll() is None and time.monotonic() < deadline, state
        time.sleep(0.1)
    return state


def all_processes(state: StackState) -> list[ProcessId]:
    found = [one for server in state.servers for one in (server.server, server.keeper) if one]
    for task in Path("/proc").glob("[0-9]*/stat"):
        try:
            group = int(task.read_text(errors="replace").rpartition(")")[2].split()[2])
        except OSError:
            continue
        if group in {server.server.pid for server in state.servers if server.server}:
            member = identify(int(task.parent.name))
            found += [member] if member is not None and member not in found else []
    return found


def test_sigkill_of_the_parent_ends_every_server_and_the_folder_can_be_used_at_once(
    tmp_path: Path, parent: "subprocess.Popen[bytes]"
) -> None:
    processes = all_processes(running_state(tmp_path, parent))
    assert len(processes) >= 7  # three servers, three keepers, one stub
    shm_prefix = TritonServer(
        run_dir=tmp_path / "triton", model_repository=tmp_path, models=[]
    ).shm_prefix
    assert list(SHM.glob(f"{shm_prefix}*"))
    parent.kill()
    parent.wait()
    with Stack(data_dir=tmp_path, kafka=LocalKafka(), valkey=LocalValkey()) as stack:
        stack.check()
    assert_gone(processes)
    assert not list(SHM.glob(f"{shm_prefix}*"))


def test_another_process_can_look_at_a_stack_and_stop_it(
    tmp_path: Path, parent: "subprocess.Popen[bytes]"
) -> None:
    state = running_state(tmp_path, parent)
    processes = all_processes(state)
    with pytest.raises(FolderInUse, match=f"by process {parent.pid}"):
        Stack(data_dir=tmp_path, valkey=LocalValkey()).start()
    assert stop_from_state(tmp_path)
    assert_gone(processes, seconds=1)
    parent.wait(10)
    assert state.running() == ()
    assert read_state(tmp_path) is None


def test_a_stack_stops_everything_when_one_server_does_not_start(
    tmp_path: Path, repository: Path
) -> None:
    stack = Stack(
        data_dir=tmp_path,
        kafka=LocalKafka(),
        valkey=LocalValkey(),
        triton=LocalTriton(model_repository=repository, models=["broken"]),
    )
    with pytest.raises(ServerDied, match="no weights here"):
        stack.start()
    assert all(server.process is None for server in stack.servers.values())
    assert read_state(tmp_path) is None
